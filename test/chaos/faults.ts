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
    if (unplugs) product.usb.unplug();
    forAWhile(product, ms, `laptop asleep${unplugs ? ', USB off' : ''}`, () => {
      product.usb.replug();
      asleep.wake();
    });
  };
}

function unplug(probePowersBoard: boolean): Strike {
  return (product, dice) => {
    product.usb.unplug();
    if (probePowersBoard) product.board.powerOff();
    const what = `USB unplugged${probePowersBoard ? ', the board was powered by it' : ''}`;
    forAWhile(product, dice.between(200, 15_000), what, () => {
      if (probePowersBoard) product.board.powerOn();
      product.usb.replug();
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

export const FAULTS = {
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
  probeWaits: probeTrouble('waits', 400),
  probeGarbage: probeTrouble('garbage', 12),
  probeStalls: probeTrouble('stalls', 4),
  probeShort: probeTrouble('short', 4),
  probeMute: probeTrouble('mute', 3),
} as const satisfies Record<string, Strike>;
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
