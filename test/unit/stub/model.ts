// The state table of docs/mailbox.md "States" as a program: what the agent and the controller may do, and what must follow. Knows
// nothing of the stub's code.
import type { StubState } from '../../../shared/mailbox/layout.ts';

/** What may happen to the stub. Frames are those of FRAMES, placed in the next slot. */
export type Event =
  | { readonly do: 'command'; readonly value: number }
  | { readonly do: 'frame'; readonly frame: FrameName }
  | { readonly do: 'wait' };

export interface Model {
  readonly state: StubState;
  readonly error: number;
  readonly handshakes: number;
  /** The last session ended by a box that did not open. */
  readonly boxFailed: boolean;
  readonly retries: number;
}

const MOST_HANDSHAKES = 16;
const MOST_RETRIES = 3;
const KEYED: readonly StubState[] = ['active', 'written', 'locked'];
const LIVE: readonly StubState[] = ['offered', ...KEYED];

/** Error that ends the session by state, or what follows; the plan is a flash job without lock, its sector not erased yet. */
export const FRAMES = {
  ping: { active: 'stays', written: 'stays' },
  end: { active: 9, written: 'ended' },
  abort: { active: 17, written: 17 },
  'erase outside': { active: 8, written: 9 },
  digest: { active: 'stays', written: 9 },
  'digest outside': { active: 8, written: 9 },
  lock: { active: 9, written: 9 },
  'unknown kind': { active: 21, written: 21 },
  'set reserved byte': { active: 21, written: 21 },
  'foreign box': { active: 7, written: 7 },
  'damaged slot': { active: 'stays', written: 'stays' },
} as const satisfies Record<string, Record<'active' | 'written', number | 'stays' | 'ended'>>;
export type FrameName = keyof typeof FRAMES;

function ended(model: Model, state: StubState, error: number): Model {
  return { ...model, state, error, boxFailed: error === 7 };
}

function handshake(model: Model): Model {
  const retries = model.retries + (model.boxFailed ? 1 : 0);
  if (model.handshakes === MOST_HANDSHAKES || retries > MOST_RETRIES)
    return { ...model, state: 'refused', error: 19, boxFailed: false, retries };
  return { state: 'offered', error: 0, handshakes: model.handshakes + 1, boxFailed: false, retries };
}

function command(model: Model, value: number): Model {
  const { state } = model;
  if (value === 1 && state === 'waiting') return handshake(model);
  if (value === 2 && state === 'offered') return ended(model, 'aborted', 20); // the M2 area is zero
  if (value === 3 && (state === 'waiting' || LIVE.includes(state))) return ended(model, 'aborted', 16);
  if (
    value === 4 &&
    model.handshakes > 0 &&
    ![...(['boot', 'waiting', 'fault', 'refused'] as const)].includes(state as never)
  )
    return handshake(model);
  return model;
}

function frame(model: Model, name: FrameName): Model {
  const { state } = model;
  if (state !== 'active' && state !== 'written') return model;
  const follows = FRAMES[name][state];
  if (follows === 'stays') return model;
  return follows === 'ended' ? ended(model, 'ended', 0) : ended(model, 'aborted', follows);
}

/** What follows when `event` happens and the stub is left alone until it waits again. `wait` is longer than the idle limit. */
export function next(model: Model, event: Event): Model {
  if (event.do === 'command') return command(model, event.value);
  if (event.do === 'frame') return frame(model, event.frame);
  return LIVE.includes(model.state) ? ended(model, 'expired', 15) : model;
}
