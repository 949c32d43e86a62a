// Where the sequences of the state machine test begin: a board in each state of the table, with
// frames ready for its session.
import assert from 'node:assert/strict';
import nacl from 'tweetnacl';
import { concat } from '../../../shared/codec/bytes.ts';
import type { StubState } from '../../../shared/mailbox/layout.ts';
import { encodePlan, type Plan } from '../../../shared/plan/plan.ts';
import { encodeCommand } from '../../../shared/sealed/messages.ts';
import type { BoardSnapshot } from '../../../sim/board.ts';
import { FirmwareFixture } from './firmware-fixture.ts';
import { active, FLASH, SampleImage, question, smallPlan, writeAll } from './sample-jobs.ts';
import { FRESH, type FrameName, type Model } from './state-model.ts';
import { sessionSecrets } from './session-secrets.ts';
import { crc32, SealedController, VENDOR_SEED, words } from './sealed-controller.ts';

export const IDLE_MS = 1000;

const IMAGE_BYTES = 256;
const PLANS = {
  open: smallPlan({ idleLimitMs: IDLE_MS }, IMAGE_BYTES),
  locking: smallPlan({ idleLimitMs: IDLE_MS, lock: 'level 1' }, IMAGE_BYTES),
};
const image = new SampleImage(PLANS.open);

const plain = (kind: number, at?: number): Uint8Array => {
  const bytes = new Uint8Array(176);
  bytes[0] = kind;
  if (at !== undefined) bytes[at] = 1;
  return bytes;
};
const imageAt = (address: number, length: number) =>
  encodeCommand({ name: 'IMAGE', address, data: image.at(FLASH + 64, length) });
const PLAINTEXT: Record<FrameName, Uint8Array> = {
  ping: plain(7),
  end: plain(6),
  abort: plain(0x7f),
  erase: encodeCommand({ name: 'ERASE', sector: 0 }),
  'erase outside': encodeCommand({ name: 'ERASE', sector: 5 }),
  image: imageAt(FLASH + 64, IMAGE_BYTES - 64),
  'image outside': imageAt(FLASH + IMAGE_BYTES, 64),
  'image on the boot words': imageAt(FLASH + 60, 64),
  digest: encodeCommand(question(PLANS.open, image.bytes)),
  'digest outside': encodeCommand({ name: 'DIGEST', first: 9, count: 1, expected: new Uint8Array(64) }),
  final: encodeCommand({
    name: 'FINAL',
    root: image.root(PLANS.open, 'erased'),
    bootWords: image.at(FLASH, 64).slice(),
  }),
  lock: plain(5),
  'unknown kind': plain(0x33),
  'set reserved byte': plain(7, 9),
  'foreign box': plain(7),
  'damaged slot': plain(7),
};

/** Frames of the controller to the stub in one session, for as long as its first epoch lasts. */
export class Frames {
  /** Of the next frame. */
  readonly sequence: number;
  readonly #key: Uint8Array;

  constructor(key: Uint8Array, sequence = 1) {
    this.#key = key;
    this.sequence = sequence;
  }
  /** The frames after one that was taken. */
  get following(): Frames {
    return new Frames(this.#key, this.sequence + 1);
  }
  /** What goes to the end of the next slot: box and trailer. */
  slot(name: FrameName): Uint8Array {
    const nonce = concat(Uint8Array.of(2, 0x53, 0, 0, 0, 0, 0, 0), words(0, 0, this.sequence, 0));
    const box = nacl.secretbox(PLAINTEXT[name], nonce, this.#key);
    if (name === 'foreign box') box[0]! ^= 1;
    const trailer = words(box.length, crc32(box, words(box.length), words(this.sequence)), 0, this.sequence);
    if (name === 'damaged slot') box[20]! ^= 1;
    return concat(box, trailer);
  }
}

/** The frames of the session that `controller`, made with `seed`, has on `fixture`. */
export function framesOf(fixture: FirmwareFixture, controller: SealedController, seed = VENDOR_SEED): Frames {
  return new Frames(sessionSecrets(fixture, controller, seed)['box key of chain r2i 0']!, fixture.status.accepted + 1);
}

/**
 * A place to start: a board's snapshot, the model there, its plan, the frames of its session and
 * of one that it never knew.
 */
export interface Start {
  readonly from: BoardSnapshot;
  readonly model: Model;
  readonly plan: Uint8Array;
  readonly frames: Frames;
  readonly foreign: Frames;
}

interface Pair {
  readonly fixture: FirmwareFixture;
  readonly controller: SealedController;
}

function model(state: StubState, change: Partial<Model> = {}): Model {
  return { ...FRESH, state, handshakes: 1, keysDrawn: 1, hasKey: true, m2: 'of an earlier handshake', ...change };
}

function start(fixture: FirmwareFixture, at: Model, plan: Plan, frames: Frames, foreign: Frames): Start {
  return { from: fixture.board.snapshot(), model: at, plan: encodePlan(plan), frames, foreign };
}

/** Brings a fixture to a state without a session, by way of an active one. */
function left(
  plan: Plan,
  state: StubState,
  exit: (fixture: FirmwareFixture, controller: SealedController) => void,
): FirmwareFixture {
  const { fixture, controller } = active(plan);
  exit(fixture, controller);
  fixture.runUntil(() => fixture.state === state, 5000, state);
  fixture.runMs(1);
  return fixture;
}
function done(plan: Plan): Pair {
  const pair = active(plan);
  assert.equal(writeAll(pair.controller, plan, image).name, 'WRITTEN');
  pair.controller.settle();
  return pair;
}
function locked(): Pair {
  const pair = done(PLANS.locking);
  assert.equal(pair.controller.ask({ name: 'LOCK' }).name, 'LOCKED');
  pair.controller.settle();
  return pair;
}
/** A fixture with the job in place and COMMAND 1 not given yet. */
function waiting(change: (job: Uint8Array) => void = () => {}): FirmwareFixture {
  const fixture = FirmwareFixture.booted();
  new SealedController(fixture, encodePlan(PLANS.open)).giveJob(change);
  fixture.setControl('COMMAND', 0);
  return fixture;
}
function offered(): FirmwareFixture {
  const fixture = waiting();
  fixture.commandTo('job', 'offered');
  return fixture;
}
/** After as many handshakes as are allowed. */
function tired(): FirmwareFixture {
  const fixture = offered();
  for (let i = 1; i < 16; i++) fixture.commandTo('handshake', 'offered');
  fixture.commandTo('abort', 'expired');
  return fixture;
}
/** After as many handshakes that follow a box that did not open as are allowed, and one more such box. */
function distrusted(): FirmwareFixture {
  const { fixture, controller } = active(PLANS.open);
  for (let i = 0; i < 4; i++) {
    controller.place(new Uint8Array(192), 1);
    fixture.runUntil(() => fixture.state === 'aborted', 100, 'box failed');
    if (i === 3) break;
    fixture.commandTo('handshake', 'offered');
    controller.shake();
  }
  return fixture;
}
function refused(): FirmwareFixture {
  const fixture = waiting((job) => void (job[72]! ^= 1));
  fixture.commandTo('job', 'refused');
  return fixture;
}

/** One start of each state, and the two limits of handshakes. */
export function starts(): Start[] {
  const { open, locking } = PLANS;
  const unknown = active(open);
  const foreign = framesOf(unknown.fixture, unknown.controller);
  const session = ({ fixture, controller }: Pair, at: Model, plan: Plan) =>
    start(fixture, at, plan, framesOf(fixture, controller), foreign);
  const idle = (fixture: FirmwareFixture, at: Model) => start(fixture, at, open, foreign, foreign);
  return [
    session(active(open), model('active'), open),
    session(active(locking), model('active', { locks: true }), locking),
    session(done(open), model('written'), open),
    session(done(locking), model('written', { locks: true }), locking),
    session(locked(), model('locked', { locks: true }), locking),
    idle(waiting(), FRESH),
    idle(offered(), model('offered', { m2: 'zero' })),
    idle(
      left(open, 'ended', (_, controller) => (writeAll(controller, open, image), controller.ask({ name: 'END' }))),
      model('ended'),
    ),
    idle(
      left(open, 'aborted', (_, controller) => controller.place(new Uint8Array(192), 1)),
      model('aborted', { error: 7, boxFailed: true }),
    ),
    idle(
      left(open, 'expired', () => {}),
      model('expired', { error: 15, hasKey: false }),
    ),
    idle(left(open, 'fault', strike), model('fault', { error: 18, hasKey: false })),
    idle(refused(), { ...FRESH, state: 'refused', error: 1 }),
    idle(tired(), model('expired', { error: 16, handshakes: 16, m2: 'zero', hasKey: false })),
    idle(distrusted(), model('aborted', { error: 7, handshakes: 4, boxFailed: true, retries: 3 })),
  ];
}

const SYSTICK_VECTOR = 0x2000003c;

/** Spoils the vector that the next tick takes: the address is even, and no code is there. */
export function strike(fixture: FirmwareFixture): void {
  fixture.setWord(SYSTICK_VECTOR, 0x20000100);
}
