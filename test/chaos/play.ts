// One chaos run: the seed decides image, weather, faults and attackers; the run is played in virtual time and judged.
import type { Image } from '../../controller/image/image.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { PLACE_ORDER, type Place } from '../../shared/registry/states.ts';
import { Dice } from './dice.ts';
import {
  HOUR_MS,
  LINE_FAULTS,
  PROBE_FAULTS,
  schedule,
  type FaultName,
  type PlannedFault,
  type Trigger,
} from './faults.ts';
import { ChaosDevice, type DeviceScript } from './device.ts';
import { brokenDevice } from './device-invariants.ts';
import { hostileRelay, LIES, lyingAgent, MAILBOX_TRICKS, RELAY_TRICKS, tamperingAgent } from './hostile.ts';
import type { LieName, MailboxTrickName, RelayTrickName } from './hostile.ts';
import { broken, type Expectation } from './invariants.ts';
import { IMAGE } from '../integration/loader/loader-fixture.ts';
import { FLASH_BASE } from './layout.ts';
import type { Weather } from './net.ts';
import { ChaosProduct } from './product.ts';

/** After the last fault and the last trick a job has this long to come to an end, people's patience included. */
const DEADLINE_MS = 2 * HOUR_MS;
/** After the vendor's side is over the customer waits this long, then presses Ctrl-C, then waits once more as long. */
const GOODBYE_MS = 120_000;
const HOSTILE_FOR_MS = 20_000;

export type Cast = 'faults' | 'hostile relay' | 'hostile agent';

/** Everything a seed decides. */
export interface Script {
  readonly seed: number;
  readonly cast: Cast;
  readonly weather: Weather;
  readonly imageBytes: number;
  readonly faults: readonly PlannedFault[];
  readonly tricks: readonly string[];
  readonly oneIn: number;
  readonly lock: Plan['lock'];
  readonly idleLimitMs: number;
  readonly countsSleep: boolean;
  /** A device with a loader at a serial line; otherwise a board with a probe. */
  readonly device?: DeviceScript;
}

/** How the agent reaches the board. */
export type Transport = 'probe' | 'serial';

export interface Result {
  readonly script: Script;
  readonly broken: readonly string[];
  readonly log: readonly string[];
  readonly hash: string;
  readonly ended: string;
  /** How often the vendor was asked for the code. */
  readonly questions: number;
  readonly virtualMs: number;
}

export interface PlayOptions {
  /** Image size; drawn otherwise. */
  readonly size?: number | undefined;
  /** By the probe unless given. */
  readonly transport?: Transport | undefined;
  /** Indices of the faults to keep; all otherwise. */
  readonly only?: readonly number[] | undefined;
  /** In place of what the seed says. */
  readonly script?: Partial<Script>;
  /** Is called before anybody starts anything. */
  readonly prepare?: (product: ChaosProduct) => void;
  /** As for BoardFixture: runs that are not about the chip's time or what it holds in the midst of a multiplication. */
  readonly repeats?: boolean;
  /** Spoils something between the run and its judgement: shows that an invariant can fail. */
  readonly sabotage?: (product: ChaosProduct) => void;
}

const WEATHERS: readonly Weather[] = [
  { delayMs: 5, jitterMs: 0, stallOneIn: 0, stallMs: 0, bytesPerMs: 12_500 },
  { delayMs: 40, jitterMs: 10, stallOneIn: 0, stallMs: 0, bytesPerMs: 1250 },
  { delayMs: 75, jitterMs: 0, stallOneIn: 100, stallMs: 500, bytesPerMs: 1250 },
  { delayMs: 150, jitterMs: 50, stallOneIn: 50, stallMs: 5000, bytesPerMs: 250 },
  { delayMs: 20, jitterMs: 5, stallOneIn: 0, stallMs: 0, bytesPerMs: 30 },
];
/** Virtual milliseconds a job without faults takes, people included; most faults strike within. */
const USUAL_MS = 5000;

/** So many USB commands a job takes by the probe, or pieces that the serial line carries. */
const USUAL_COUNTS = { probe: 900, serial: 250 } as const satisfies Record<Transport, number>;

function drawTrigger(dice: Dice, transport: Transport): Trigger {
  switch (dice.int(8)) {
    case 0:
      return { on: 'agent', count: dice.between(1, 40) };
    case 1:
      return { on: 'vendor', count: dice.between(1, 40) };
    case 2:
    case 3:
    case 4:
      return { on: 'probe', count: dice.between(1, USUAL_COUNTS[transport]) };
    case 5:
      return { on: 'fault', ms: dice.int(4000) };
    default:
      return { on: 'time', ms: dice.oneIn(4) ? dice.int(60_000) : dice.int(USUAL_MS) };
  }
}

const FAULT_NAMES = {
  probe: Object.keys(PROBE_FAULTS) as (keyof typeof PROBE_FAULTS)[],
  serial: Object.keys(LINE_FAULTS) as (keyof typeof LINE_FAULTS)[],
} as const satisfies Record<Transport, readonly string[]>;

function drawFaults(dice: Dice, cast: Cast, transport: Transport): PlannedFault[] {
  const names = FAULT_NAMES[transport];
  const count = cast === 'faults' ? dice.between(1, 6) : dice.int(3);
  return Array.from({ length: count }, () => ({
    name: dice.pick<FaultName>(names),
    trigger: drawTrigger(dice, transport),
  }));
}

function drawTricks(dice: Dice, cast: Cast, transport: Transport): string[] {
  if (cast === 'faults') return [];
  const agents = transport === 'probe' ? { ...LIES, ...MAILBOX_TRICKS } : LIES;
  const names = Object.keys(cast === 'hostile relay' ? RELAY_TRICKS : agents);
  return Array.from({ length: dice.between(1, 4) }, () => dice.pick(names));
}

function drawDevice(seed: number): DeviceScript {
  const dice = new Dice(seed, 7);
  const kind = dice.pick<DeviceScript['kind']>(['enroll', 'flash', 'flash', 'flash', 'update', 'update', 'keys']);
  return {
    kind,
    place: dice.pick<Place>(PLACE_ORDER),
    hasKeys: kind !== 'enroll' || dice.oneIn(2),
    old: dice.oneIn(2),
    digest: dice.oneIn(2),
  };
}

/** What the seed says. */
export function scriptOf(seed: number, { size, transport = 'probe' }: PlayOptions = {}): Script {
  const dice = new Dice(seed, 0);
  const cast = dice.pick<Cast>(['faults', 'faults', 'hostile relay', 'hostile agent']);
  return {
    seed,
    cast,
    weather: dice.pick(WEATHERS),
    imageBytes: size ?? dice.pick([600, 4096, 9000, 17_000, 30_000]),
    faults: drawFaults(dice, cast, transport),
    tricks: drawTricks(dice, cast, transport),
    oneIn: dice.pick([2, 8, 30]),
    lock: dice.oneIn(12) ? 'level 1' : 'none',
    idleLimitMs: dice.pick([5000, 60_000, 600_000]),
    countsSleep: dice.oneIn(2),
    ...(transport === 'serial' ? { device: drawDevice(seed) } : {}),
  };
}

/** Bytes with a vector table that starts, and an endless loop behind it. */
function bootable(dice: Dice, length: number, address = FLASH_BASE): Uint8Array {
  const bytes = dice.bytes(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x20030000, true);
  view.setUint32(4, address + 0x41, true);
  bytes.set([0xfe, 0xe7], 0x40);
  return bytes;
}

function drawImage(dice: Dice, length: number, address = FLASH_BASE): Image {
  const bytes = bootable(dice, length, address);
  return { format: 'bin', segments: [{ address, bytes }], length };
}

function letAttackersIn(product: ChaosProduct, { seed, cast, tricks, oneIn }: Script): void {
  if (cast === 'faults') return;
  const dice = new Dice(seed, 3);
  const told = (trick: string): void => product.say('attacker', trick);
  if (cast === 'hostile relay') product.net.attack = hostileRelay(dice, tricks as RelayTrickName[], oneIn, told);
  const lies = tricks.filter((name): name is LieName => name in LIES);
  const touches = tricks.filter((name): name is MailboxTrickName => name in MAILBOX_TRICKS);
  if (cast === 'hostile agent' && lies.length > 0) product.crypto.lie = lyingAgent(dice, lies, oneIn, told);
  if (cast === 'hostile agent' && touches.length > 0) product.tampering = tamperingAgent(dice, touches, oneIn, told);
  product.queue.after(HOSTILE_FOR_MS, () => {
    product.say('attacker', 'leaves');
    product.net.attack = (message) => [{ message, delayMs: 0 }];
    product.crypto.lie = product.tampering = undefined;
  });
}

/** From the vendor's end on: the agent says goodbye, or is told to. */
async function sayGoodbye(product: ChaosProduct): Promise<string | undefined> {
  const { queue } = product;
  const agentOver = (): boolean => product.agentEnd !== undefined;
  const wait = async (): Promise<void> => {
    const until = queue.nowNs + GOODBYE_MS * 1e6;
    queue.at(until, () => {});
    await queue.runUntil(() => agentOver() || queue.nowNs >= until);
  };
  await wait();
  for (let tries = 0; tries < 3 && !agentOver(); tries++) {
    product.stopAgent();
    await wait();
  }
  return agentOver() ? undefined : 'hang: the agent does not let go';
}

async function playOut(product: ChaosProduct, script: Script): Promise<string | undefined> {
  const { queue } = product;
  const last = Math.max(
    HOSTILE_FOR_MS,
    60_000,
    ...script.faults.map(({ name }) => (name === 'laptopAsleepAnHour' ? HOUR_MS + 60_000 : 0)),
  );
  const limit = (last + DEADLINE_MS) * 1e6;
  queue.at(limit, () => {});
  await queue.runUntil(() => product.vendorEnd !== undefined || queue.nowNs >= limit);
  if (product.vendorEnd === undefined) {
    product.stopVendor();
    return `hang: not over after ${limit / 1e6} ms`;
  }
  return sayGoodbye(product);
}

function probedBoard(script: Script, dice: Dice, { repeats }: PlayOptions): ChaosProduct {
  const flash = new Uint8Array(0x200000).fill(0xff);
  flash.set(bootable(dice, 40_000));
  flash.set(dice.bytes(3000), 0x100000);
  flash.set(dice.bytes(3000), 0x1f0000);
  const { seed, weather, lock, idleLimitMs, countsSleep } = script;
  const image = drawImage(dice, script.imageBytes);
  return new ChaosProduct({ ...{ seed, weather, image, flash, lock, idleLimitMs, countsSleep }, repeats });
}

function device(script: Script, what: DeviceScript, dice: Dice): ChaosDevice {
  const oldImage = bootable(dice, 20_000, IMAGE);
  const { seed, weather, idleLimitMs, countsSleep } = script;
  const image = drawImage(dice, script.imageBytes, IMAGE);
  return new ChaosDevice({ ...{ seed, weather, image, idleLimitMs, countsSleep }, device: what, oldImage });
}

function judged(product: ChaosProduct, expected: Expectation): string[] {
  return product instanceof ChaosDevice ? brokenDevice(product, expected) : broken(product, expected);
}

/** Plays a seed to its end and judges it. */
export async function play(seed: number, options: PlayOptions = {}): Promise<Result> {
  const whole = { ...scriptOf(seed, options), ...options.script };
  const kept = whole.faults
    .map((fault, index) => ({ fault, index }))
    .filter(({ index }) => options.only?.includes(index) ?? true);
  const script = { ...whole, faults: kept.map(({ fault }) => fault) };
  const dice = new Dice(seed, 4);
  const product =
    script.device === undefined ? probedBoard(script, dice, options) : device(script, script.device, dice);
  try {
    const before = product.board.flash.bytes.slice();
    const optcr = product.board.options.optcr;
    letAttackersIn(product, script);
    schedule(product, script.faults, (index) => new Dice(seed, 100 + kept[index]!.index));
    options.prepare?.(product);
    product.vendorSoon(dice.int(300));
    product.agentSoon(dice.int(300));
    const hang = await playOut(product, script);
    const virtualMs = product.queue.now();
    const hash = product.traceHash();
    options.sabotage?.(product);
    const mustSucceed = script.cast === 'faults' && hang === undefined;
    const faults = [...(hang === undefined ? [] : [hang]), ...judged(product, { before, optcr, mustSucceed })];
    const ended = product.vendorEnd?.good === true ? 'good' : (product.vendorEnd?.text.split(' ')[0] ?? 'hang');
    const questions = product.questions.count;
    return { script, broken: faults, log: product.told, hash, ended, questions, virtualMs };
  } finally {
    product.customerProcess?.kill();
    product.vendorProcess?.kill();
    product.crypto.remove();
    product.queues.remove();
  }
}
