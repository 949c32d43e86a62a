// The faults of a chaos run, one row each: what breaks, and how it heals by itself or by somebody's hand (docs/reliability.md).
import type { Dice } from './dice.ts';
import type { Scene } from './scene.ts';

export const HOUR_MS = 3_600_000;

type Strike = (scene: Scene, dice: Dice) => void;

/** Runs `heal` in `ms`, and says both. */
function forAWhile(scene: Scene, ms: number, what: string, heal: () => void): void {
  scene.say('fault', `${what}, for ${ms} ms`);
  scene.queue.after(ms, () => {
    scene.say('fault', `over: ${what}`);
    heal();
  });
}

function breakLink(side: 'agent' | 'controller', silently: boolean): Strike {
  return (scene) => {
    scene.say('fault', `link of the ${side} breaks${silently ? ' silently' : ''}`);
    scene.net.breakLinks(side, silently);
  };
}

function stopRelay(inOrder: boolean): Strike {
  return (scene, dice) => {
    scene.net.stopRelay(inOrder);
    forAWhile(scene, dice.between(50, 20_000), `relay ${inOrder ? 'stopped' : 'killed'}`, () => scene.net.startRelay());
  };
}

function sleep(ms: number): Strike {
  return (scene, dice) => {
    const asleep = scene.agent;
    if (asleep?.alive !== true || asleep.asleep) return;
    asleep.sleep();
    scene.net.breakLinks('agent', true);
    const unplugs = dice.oneIn(3);
    if (unplugs) scene.usb.unplug();
    forAWhile(scene, ms, `laptop asleep${unplugs ? ', USB off' : ''}`, () => {
      scene.usb.replug();
      asleep.wake();
    });
  };
}

function unplug(probePowersBoard: boolean): Strike {
  return (scene, dice) => {
    scene.usb.unplug();
    if (probePowersBoard) scene.board.powerOff();
    const what = `USB unplugged${probePowersBoard ? ', the board was powered by it' : ''}`;
    forAWhile(scene, dice.between(200, 15_000), what, () => {
      if (probePowersBoard) scene.board.powerOn();
      scene.usb.replug();
    });
  };
}

const powerLost: Strike = (scene, dice) => {
  scene.board.powerOff();
  forAWhile(scene, dice.between(20, 8000), 'board without power', () => scene.board.powerOn());
};

function probeTrouble(name: 'waits' | 'garbage' | 'stalls' | 'short' | 'mute', most: number): Strike {
  return (scene, dice) => {
    scene.stlink.faults[name] = dice.between(1, most);
    forAWhile(scene, dice.between(5, 3000), `probe: ${name} × ${scene.stlink.faults[name]}`, () => {
      scene.stlink.faults[name] = 0;
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
  agentKilled: (scene) => scene.killAgent(),
  vendorKilled: (scene) => scene.killVendor(),
  laptopAsleepAnHour: sleep(HOUR_MS),
  laptopNaps: (scene, dice) => sleep(dice.between(500, 60_000))(scene, dice),
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
export function schedule(scene: Scene, faults: readonly PlannedFault[], dice: (index: number) => Dice): void {
  const waiting: (() => void)[] = [];
  const strikes: (() => void)[] = [];
  faults.forEach(({ name, trigger }, index) => {
    const strike = (): void => {
      (FAULTS[name] as Strike)(scene, dice(index));
      const next = faults[index + 1];
      if (next?.trigger.on === 'fault') scene.queue.after(next.trigger.ms, strikes[index + 1]!);
    };
    strikes.push(strike);
    if (trigger.on === 'fault') {
      if (index === 0) scene.queue.after(trigger.ms, strike);
    } else if (trigger.on === 'time') {
      scene.queue.after(trigger.ms, strike);
    } else {
      let armed = true;
      const { on, count } = trigger;
      waiting.push(() => {
        if (!armed || scene.counted[on] < count) return;
        armed = false;
        scene.queue.after(0, strike);
      });
    }
  });
  scene.onCount = () => {
    for (const look of waiting) look();
  };
}
