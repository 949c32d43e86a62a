// The faults of a chaos run, one row each: what breaks, and how it heals by itself or by somebody's hand
// (docs/reliability.md).
import type { Dice } from './dice.ts';
import type { ChaosProduct } from './product.ts';

export const HOUR_MS = 3_600_000;

type Strike = (product: ChaosProduct, dice: Dice) => void;

/** Runs `heal` in `ms`, and says both. */
function forAWhile(product: ChaosProduct, ms: number, what: string, heal: () => void): void {
  product.say('fault', `${what}, for ${ms} ms`);
  product.queue.after(ms, () => {
    product.say('fault', `over: ${what}`);
    heal();
  });
}

function breakLink(side: 'agent' | 'controller', silently: boolean): Strike {
  return (product) => {
    product.say('fault', `link of the ${side} breaks${silently ? ' silently' : ''}`);
    product.net.breakLinks(side, silently);
  };
}

function stopRelay(inOrder: boolean): Strike {
  return (product, dice) => {
    product.net.stopRelay(inOrder);
    forAWhile(product, dice.between(50, 20_000), `relay ${inOrder ? 'stopped' : 'killed'}`, () =>
      product.net.startRelay(),
    );
  };
}

function sleep(ms: number): Strike {
  return (product, dice) => {
    const asleep = product.customerProcess;
    if (asleep?.alive !== true || asleep.asleep) return;
    asleep.sleep();
    product.net.breakLinks('agent', true);
    const unplugs = dice.oneIn(3);
    if (unplugs) product.cable.unplug();
    forAWhile(product, ms, `laptop asleep${unplugs ? ', USB off' : ''}`, () => {
      product.cable.replug();
      asleep.wake();
    });
  };
}

function unplug(probePowersBoard: boolean): Strike {
  return (product, dice) => {
    product.cable.unplug();
    if (probePowersBoard) product.board.powerOff();
    const what = `USB unplugged${probePowersBoard ? ', the board was powered by it' : ''}`;
    forAWhile(product, dice.between(200, 15_000), what, () => {
      if (probePowersBoard) product.board.powerOn();
      product.cable.replug();
    });
  };
}

const powerLost: Strike = (product, dice) => {
  product.board.powerOff();
  forAWhile(product, dice.between(20, 8000), 'board without power', () => product.board.powerOn());
};

function probeTrouble(name: 'waits' | 'garbage' | 'stalls' | 'short' | 'mute', most: number): Strike {
  return (product, dice) => {
    product.stlink.faults[name] = dice.between(1, most);
    forAWhile(product, dice.between(5, 3000), `probe: ${name} × ${product.stlink.faults[name]}`, () => {
      product.stlink.faults[name] = 0;
    });
  };
}

/** Short pulses, bits that arrive as the other one, characters that start late. */
const lineNoise: Strike = (product, dice) => {
  const noise = { flips: dice.pick([0, 1e-4, 1e-3]), pulsesPerSecond: dice.int(20), jitter: dice.int(2) / 2 };
  product.line!.noise = noise;
  forAWhile(product, dice.between(50, 20_000), `noise on the line: ${JSON.stringify(noise)}`, () => {
    product.line!.noise = { flips: 0, pulsesPerSecond: 0, jitter: 0 };
  });
};

/** What is sent meanwhile is lost, and neither end is told. */
const lineLoss: Strike = (product, dice) => {
  product.looseWire(true);
  forAWhile(product, dice.between(1, 3000), 'a wire of the line is loose', () => product.looseWire(false));
};

const boardReset: Strike = (product, dice) => {
  product.board.pressButton();
  forAWhile(product, dice.between(1, 500), 'reset button held', () => product.board.releaseButton());
};

/** Those that do not ask which way leads to the board. */
const COMMON_FAULTS = {
  agentLinkBreaks: breakLink('agent', false),
  vendorLinkBreaks: breakLink('controller', false),
  agentLinkDies: breakLink('agent', true),
  vendorLinkDies: breakLink('controller', true),
  relayStopped: stopRelay(true),
  relayKilled: stopRelay(false),
  agentKilled: (product) => product.killAgent(),
  vendorKilled: (product) => product.killVendor(),
  laptopAsleepAnHour: sleep(HOUR_MS),
  laptopNaps: (product, dice) => sleep(dice.between(500, 60_000))(product, dice),
  usbUnplugged: unplug(false),
  usbUnpluggedPowersBoard: unplug(true),
  boardLosesPower: powerLost,
} as const satisfies Record<string, Strike>;

/** Of a board with a probe. */
export const PROBE_FAULTS = {
  ...COMMON_FAULTS,
  probeWaits: probeTrouble('waits', 400),
  probeGarbage: probeTrouble('garbage', 12),
  probeStalls: probeTrouble('stalls', 4),
  probeShort: probeTrouble('short', 4),
  probeMute: probeTrouble('mute', 3),
} as const satisfies Record<string, Strike>;

/** Of a device with a loader, at its serial line. */
export const LINE_FAULTS = {
  ...COMMON_FAULTS,
  lineNoise,
  lineLoss,
  boardReset,
} as const satisfies Record<string, Strike>;

const FAULTS = { ...PROBE_FAULTS, ...LINE_FAULTS };
export type FaultName = keyof typeof FAULTS;

/** When a fault strikes: at a time, or when something has happened so many times. */
export type Trigger =
  | { readonly on: 'time'; readonly ms: number }
  /** After the fault before it: while the others still recover. */
  | { readonly on: 'fault'; readonly ms: number }
  | { readonly on: 'agent' | 'vendor' | 'probe'; readonly count: number };

export interface PlannedFault {
  readonly name: FaultName;
  readonly trigger: Trigger;
}

/** Puts the faults on the queue. */
export function schedule(product: ChaosProduct, faults: readonly PlannedFault[], dice: (index: number) => Dice): void {
  const waiting: (() => void)[] = [];
  const strikes: (() => void)[] = [];
  faults.forEach(({ name, trigger }, index) => {
    const strike = (): void => {
      (FAULTS[name] as Strike)(product, dice(index));
      const next = faults[index + 1];
      if (next?.trigger.on === 'fault') product.queue.after(next.trigger.ms, strikes[index + 1]!);
    };
    strikes.push(strike);
    if (trigger.on === 'fault') {
      if (index === 0) product.queue.after(trigger.ms, strike);
    } else if (trigger.on === 'time') {
      product.queue.after(trigger.ms, strike);
    } else {
      let armed = true;
      const { on, count } = trigger;
      waiting.push(() => {
        if (!armed || product.counted[on] < count) return;
        armed = false;
        product.queue.after(0, strike);
      });
    }
  });
  product.onCount = () => {
    for (const look of waiting) look();
  };
}
