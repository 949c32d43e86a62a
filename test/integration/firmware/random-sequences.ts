// Random sequences of events, each from a snapshot of a board in one of the states, and the stub held
// against the model after each.
import { STATES } from '../../../shared/mailbox/layout.ts';
import { controlAddress, COMMAND_RING, MEMORY } from '../../fixtures/f42x.ts';
import { FirmwareFixture } from './firmware-fixture.ts';
import { FRAMES, keyed, next, WIPED, type Event, type FrameName, type Model } from './state-model.ts';
import { framesOf, IDLE_MS, starts, strike, type Frames, type Start } from './session-starts.ts';
import { active } from './sample-jobs.ts';
import { chipKey } from './session-secrets.ts';
import { SealedController } from './sealed-controller.ts';

const NAMES = Object.keys(FRAMES) as FrameName[];
const SLOT = COMMAND_RING.slotSize;
/** Most events of a sequence. */
const LONGEST = 6;
/** Other random numbers than those of the starts, whose sessions a fork would otherwise make again. */
const M2_SEED = 6;
/** Keys, chains and frame buffers lie from here on, then the chip's own key; docs/stub.md. */
const SECRETS = 0x10000000;
const D_BYTES = 32;
/** Where D lies in M1. */
const M1_D = 104;

type Draw = (below: number) => number;

/** Numbers that repeat by seed and index, so that each sequence can be made again alone. */
function drawing(seed: number, index: number): Draw {
  let state = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The frame that brings a job on, where there is one. */
function onward({ state, work, locks }: Model): FrameName {
  if (state === 'active') return work === 'nothing' ? 'erase' : work === 'erased' ? 'image' : 'final';
  return state === 'written' && locks ? 'lock' : 'end';
}

/** Commands the stub knows, and some it does not. */
const COMMAND_WORDS = [1, 2, 3, 4, 5, 6, 0xffffffff];
/** Pairs of a state and an event there are to try; nothing happens to a stub in boot. */
export const PAIRS = (Object.keys(STATES).length - 1) * (NAMES.length + COMMAND_WORDS.length + 3);

/** Indices of those that make no keys. */
const KEYLESS = [2, 4, 5, 6];
const HANDSHAKE: Event = { do: 'command', value: 4 };

/** Most events are frames; those that make keys, four scalar multiplications in all, are rare. */
function pick(model: Model, draw: Draw): Event {
  const what = draw(32);
  if (what === 0) return { do: 'wait' };
  if (what === 1) return { do: 'fault' };
  if (what === 2 && (model.state === 'offered' || draw(4) === 0)) return { do: 'good m2' };
  if (what === 3 && next(model, HANDSHAKE).state === 'refused') return HANDSHAKE;
  if (what < 6) return { do: 'command', value: COMMAND_WORDS[draw(10) === 0 ? draw(4) : KEYLESS[draw(4)]!]! };
  return { do: 'frame', frame: what < 12 ? onward(model) : NAMES[draw(NAMES.length)]! };
}

/** One sequence on a board. */
class Run {
  readonly #fixture: FirmwareFixture;
  readonly #start: Start;
  #frames: Frames;

  constructor(fixture: FirmwareFixture, start: Start) {
    this.#fixture = fixture;
    this.#start = start;
    this.#frames = start.frames;
    fixture.board.restore(start.from);
  }
  /** Makes `event` happen to a stub in the state of `model` and lets it come to rest. */
  apply(event: Event, model: Model): void {
    if (event.do === 'wait') this.#fixture.runMs(IDLE_MS + 300);
    else if (event.do === 'command') this.#command(event.value, model);
    else if (event.do === 'good m2') this.#goodM2(model);
    else if (event.do === 'fault') this.#fault();
    else if (keyed(model.state)) this.#frame(event.frame);
    else this.#idleFrame(event.frame);
  }
  #command(value: number, model: Model): void {
    const fixture = this.#fixture;
    fixture.setControl('COMMAND', value);
    if (model.state === 'fault') fixture.runMs(1);
    else fixture.runUntil(() => fixture.control('COMMAND') === 0, 1000, 'command');
    fixture.runMs(0.2);
  }
  #goodM2(model: Model): void {
    if (model.state !== 'offered') return this.#command(2, model);
    const controller = new SealedController(this.#fixture, this.#start.plan, M2_SEED);
    controller.answer();
    this.#fixture.runUntil(() => this.#fixture.control('COMMAND') === 0, 1000, 'M3');
    controller.confirm();
    this.#frames = framesOf(this.#fixture, controller, M2_SEED);
    this.#fixture.runMs(1.5);
  }
  #fault(): void {
    strike(this.#fixture);
    this.#fixture.runMs(101);
  }
  #write(sequence: number, slot: Uint8Array): void {
    this.#fixture.write(MEMORY.commands.address + (sequence % COMMAND_RING.slots) * SLOT + SLOT - slot.length, slot);
  }
  #frame(name: FrameName): void {
    const fixture = this.#fixture;
    const frames = this.#frames;
    this.#write(frames.sequence, frames.slot(name));
    const taken = () => fixture.status.accepted === frames.sequence;
    const refused = () => name === 'damaged slot' && fixture.status.nak;
    fixture.runUntil(() => taken() || WIPED.includes(fixture.state) || refused(), 2000, name);
    fixture.runUntil(() => fixture.control('ACTIVITY') === 0, 2000, `end of ${name}`);
    fixture.runMs(0.5);
    if (taken()) this.#frames = frames.following;
  }
  /** A frame of another session, of sequence 1, while there is no session. */
  #idleFrame(name: FrameName): void {
    this.#write(1, this.#start.foreign.slot(name));
    this.#fixture.runMs(0.2);
  }
}

/** The Ds that the chip has shown in a sequence, by their number. */
type Shown = Map<number, string>;

/** Whether M1 shows the D it is to show: the same in one life of the key, another in each. */
function showsRightKey(fixture: FirmwareFixture, { keysDrawn }: Model, shown: Shown): boolean {
  const key = Buffer.from(fixture.read(controlAddress('M1') + M1_D, D_BYTES)).toString('hex');
  const known = shown.get(keysDrawn);
  if (known !== undefined) return known === key;
  const fresh = ![...shown.values()].includes(key);
  shown.set(keysDrawn, key);
  return fresh;
}

/** What is wrong, or nothing; `keyAt` is where the chip's own key lies. */
function difference(fixture: FirmwareFixture, expected: Model, shown: Shown, keyAt: number): string | undefined {
  const { state, error, handshakes } = expected;
  const seen = `${fixture.state} ${fixture.error} ${fixture.control('HANDSHAKES')}`;
  if (seen !== `${state} ${error} ${handshakes}`) return `${seen} instead of ${state} ${error} ${handshakes}`;
  if (!showsRightKey(fixture, expected, shown)) return 'another D than it should be';
  const { u8 } = fixture.board.bus.viewAt(SECRETS)!;
  const key = u8.subarray(keyAt - SECRETS, keyAt - SECRETS + D_BYTES);
  if (key.some((byte) => byte !== 0) !== expected.hasKey) return expected.hasKey ? 'd is gone' : 'd is left';
  const wiped = !WIPED.includes(state) || u8.subarray(0, keyAt - SECRETS).every((byte) => byte === 0);
  return wiped ? undefined : 'secrets are left';
}

const named = (event: Event) =>
  'frame' in event ? event.frame : 'value' in event ? `COMMAND ${event.value}` : event.do;

export interface Explored {
  readonly sequences: number;
  readonly events: number;
  /** Pairs of state and event that happened. */
  readonly covered: ReadonlySet<string>;
  /** The first disagreement with the model, told as a sentence. */
  readonly wrong: string | undefined;
}

/** Plays sequences [from, to) of `seed` until the stub and the model disagree. */
export function explore(from: number, to: number, seed: number): Explored {
  const all = starts();
  const fixture = new FirmwareFixture();
  const keyAt = chipKey(active().fixture).address;
  const covered = new Set<string>();
  let events = 0;
  for (let index = from; index < to; index++) {
    const draw = drawing(seed, index);
    const start = all[draw(all.length)]!;
    const run = new Run(fixture, start);
    let { model } = start;
    const told: string[] = [model.state];
    const shown: Shown = new Map();
    showsRightKey(fixture, model, shown);
    for (let left = 1 + draw(LONGEST); left > 0; left--) {
      const event = pick(model, draw);
      told.push(named(event));
      covered.add(`${model.state}: ${named(event)}`);
      const expected = next(model, event);
      run.apply(event, model);
      events++;
      const wrong = difference(fixture, expected, shown, keyAt);
      if (wrong !== undefined) {
        return {
          sequences: index - from,
          events,
          covered,
          wrong: `sequence ${index} of seed ${seed}: ${told.join(', ')}: ${wrong}`,
        };
      }
      model = expected;
    }
  }
  return { sequences: to - from, events, covered, wrong: undefined };
}
