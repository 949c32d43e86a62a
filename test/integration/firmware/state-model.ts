// The state table of docs/mailbox.md "States" as a program: what the agent and the controller may do, and what must
// follow. Knows nothing of the stub's code.
import type { StubState } from '../../../shared/mailbox/layout.ts';

/** What may happen to the stub. Frames are those of FRAMES, placed in the next slot. */
export type Event =
  | { readonly do: 'command'; readonly value: number }
  /** A good answer to the M1 of state 2 is put in place, then COMMAND 2; elsewhere only COMMAND 2. */
  | { readonly do: 'good m2' }
  | { readonly do: 'frame'; readonly frame: FrameName }
  /** Longer than the idle limit. */
  | { readonly do: 'wait' }
  /** The core takes an exception it has no handler for. */
  | { readonly do: 'fault' };

export interface Model {
  readonly state: StubState;
  readonly error: number;
  readonly handshakes: number;
  /** The chip's own key: how many it has drawn, and whether it has the last of them. */
  readonly keysDrawn: number;
  readonly hasKey: boolean;
  /** The last session ended by a box that did not open. */
  readonly boxFailed: boolean;
  readonly retries: number;
  /** How far the job of a session in `active` has come. */
  readonly work: 'nothing' | 'erased' | 'imaged';
  /** The plan asks for read protection. */
  readonly locks: boolean;
  /** What the M2 area holds. */
  readonly m2: 'zero' | 'of an earlier handshake';
  /** What lies in the slot of frame 1 while no session takes it. */
  readonly slot: 'nothing' | 'foreign box' | 'damaged slot';
}

export const FRESH: Model = {
  state: 'waiting',
  error: 0,
  handshakes: 0,
  keysDrawn: 0,
  hasKey: false,
  boxFailed: false,
  retries: 0,
  work: 'nothing',
  locks: false,
  m2: 'zero',
  slot: 'nothing',
};

const MOST_HANDSHAKES = 16;
const MOST_RETRIES = 3;
const ORDER = 9;
const KEYED: readonly StubState[] = ['active', 'written', 'locked'];
/** The idle limit runs: there is a chip key. */
const KEPT: readonly StubState[] = ['offered', ...KEYED, 'ended', 'aborted'];
/** Only a reload leads out of these. */
const FINAL: readonly StubState[] = ['fault', 'refused'];
/** Entered with the chip's own key wiped, too. */
const KEYLESS: readonly StubState[] = ['expired', ...FINAL];
/** Entered with all that is secret of a session wiped. */
export const WIPED: readonly StubState[] = ['ended', 'aborted', 'expired', ...FINAL];

type Follows = number | 'stays' | 'ended' | 'erased' | 'imaged' | 'written' | 'locked';

/**
 * What a frame does by state: the error that ends the session, or what follows. The plan is a flash job of one sector.
 */
export const FRAMES = {
  ping: { active: 'stays', written: 'stays', locked: 'stays' },
  end: { active: ORDER, written: 'ended', locked: 'ended' },
  abort: { active: 17, written: 17, locked: 17 },
  erase: { active: 'erased', written: ORDER, locked: ORDER },
  'erase outside': { active: 8, written: ORDER, locked: ORDER },
  image: { active: 'imaged', written: ORDER, locked: ORDER },
  'image outside': { active: 8, written: ORDER, locked: ORDER },
  'image on the boot words': { active: 8, written: ORDER, locked: ORDER },
  digest: { active: 'stays', written: ORDER, locked: ORDER },
  'digest outside': { active: 8, written: ORDER, locked: ORDER },
  final: { active: 'written', written: ORDER, locked: ORDER },
  lock: { active: ORDER, written: 'locked', locked: ORDER },
  'unknown kind': { active: 21, written: 21, locked: 21 },
  'set reserved byte': { active: 21, written: 21, locked: 21 },
  'foreign box': { active: 7, written: 7, locked: 7 },
  'damaged slot': { active: 'stays', written: 'stays', locked: 'stays' },
} as const satisfies Record<string, Record<'active' | 'written' | 'locked', Follows>>;
export type FrameName = keyof typeof FRAMES;

/** Steps of the job have an order (docs/protocol.md §9): error if the work is not this far, by step. */
const STEPS = {
  erased: { nothing: undefined, erased: ORDER, imaged: ORDER },
  imaged: { nothing: ORDER, erased: undefined, imaged: ORDER },
  written: { nothing: ORDER, erased: 12, imaged: undefined },
} as const;

export const keyed = (state: StubState): state is 'active' | 'written' | 'locked' => KEYED.includes(state);

function ended(model: Model, state: StubState, error: number): Model {
  const hasKey = model.hasKey && !KEYLESS.includes(state);
  return { ...model, state, error, hasKey, boxFailed: error === 7, work: 'nothing' };
}

function handshake(model: Model): Model {
  const retries = model.retries + (model.boxFailed ? 1 : 0);
  if (model.handshakes === MOST_HANDSHAKES || retries > MOST_RETRIES) {
    return { ...ended(model, 'refused', 19), retries };
  }
  const keysDrawn = model.keysDrawn + (model.hasKey ? 0 : 1);
  const handshakes = model.handshakes + 1;
  return { ...ended(model, 'offered', 0), handshakes, keysDrawn, hasKey: true, retries, slot: 'nothing' };
}

function goodM2(model: Model): Model {
  if (model.state !== 'offered') return command(model, 2);
  const session: Model = { ...model, state: 'active', m2: 'of an earlier handshake' };
  return model.slot === 'foreign box' ? ended(session, 'aborted', 7) : session;
}

function command(model: Model, value: number): Model {
  const { state } = model;
  if (value === 1 && state === 'waiting') return handshake(model);
  if (value === 2 && state === 'offered') return ended(model, 'aborted', model.m2 === 'zero' ? 20 : 6);
  if (value === 3 && (state === 'waiting' || KEPT.includes(state))) return ended(model, 'expired', 16);
  if (value === 4 && model.handshakes > 0 && !FINAL.includes(state)) return handshake(model);
  return model;
}

function step(model: Model, follows: Exclude<Follows, 'stays' | number>): Model {
  if (follows === 'ended') return ended(model, 'ended', 0);
  if (follows === 'locked') return model.locks ? { ...model, state: 'locked' } : ended(model, 'aborted', ORDER);
  const error = STEPS[follows][model.work];
  if (error !== undefined) return ended(model, 'aborted', error);
  return follows === 'written' ? { ...model, state: 'written', work: 'nothing' } : { ...model, work: follows };
}

function frame(model: Model, name: FrameName): Model {
  const { state } = model;
  if (!keyed(state)) return { ...model, slot: name === 'damaged slot' ? name : 'foreign box' };
  const follows: Follows = FRAMES[name][state];
  if (follows === 'stays') return model;
  return typeof follows === 'number' ? ended(model, 'aborted', follows) : step(model, follows);
}

/** What follows when `event` happens and the stub is left alone until it waits again. */
export function next(model: Model, event: Event): Model {
  if (event.do === 'command') return command(model, event.value);
  if (event.do === 'good m2') return goodM2(model);
  if (event.do === 'frame') return frame(model, event.frame);
  if (event.do === 'fault') return model.state === 'fault' ? model : ended(model, 'fault', 18);
  return KEPT.includes(model.state) ? ended(model, 'expired', 15) : model;
}
