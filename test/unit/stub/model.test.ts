// The stub against the model of its state table: random sequences of commands, frames and waiting, each from a snapshot of a board in
// one of the states. STUB_SEQUENCES sets how many; handshakes are rare among them, for each costs three scalar multiplications.
import assert from 'node:assert/strict';
import type { StubState } from '../../../shared/mailbox/layout.ts';
import { FRAME_RING, MEMORY } from '../../../shared/mailbox/layout.ts';
import { encodePlan } from '../../../shared/plan/plan.ts';
import { encodeCommand } from '../../../shared/sealed/messages.ts';
import type { BoardSnapshot } from '../../../sim/board.ts';
import { Bench } from './bench.ts';
import { active, Image, smallPlan, writeAll } from './jobs.ts';
import { FRAMES, next, type Event, type FrameName, type Model } from './model.ts';
import { testRandom, Vendor } from './vendor.ts';

const SEQUENCES = Number(process.env['STUB_SEQUENCES'] ?? 2000);
const LONGEST = 4;
const IDLE_MS = 1000;
const SLOT = FRAME_RING.slotSize;
const plan = smallPlan({ idleLimitMs: IDLE_MS }, 256);
const names = Object.keys(FRAMES) as FrameName[];
const fresh: Model = { state: 'waiting', error: 0, handshakes: 0, boxFailed: false, retries: 0 };

const plain = (kind: number, at?: number): Uint8Array => {
  const bytes = new Uint8Array(176);
  bytes[0] = kind;
  if (at !== undefined) bytes[at] = 1;
  return bytes;
};
const PLAINTEXT: Record<FrameName, Uint8Array> = {
  ping: plain(7),
  end: plain(6),
  abort: plain(0x7f),
  'erase outside': encodeCommand({ name: 'ERASE', sector: 5 }),
  digest: encodeCommand({ name: 'DIGEST', range: 0 }),
  'digest outside': encodeCommand({ name: 'DIGEST', range: 9 }),
  lock: plain(5),
  'unknown kind': plain(0x33),
  'set reserved byte': plain(7, 9),
  'foreign box': plain(7),
  'damaged slot': plain(7),
};

/** A place to start: a board's snapshot, the model there, the slots to write for each frame at the next few sequence numbers. */
interface Node {
  readonly from: BoardSnapshot;
  readonly model: Model;
  readonly accepted: number;
  readonly slots: Map<FrameName, Uint8Array[]>;
}

/** Lets `vendor` place its frames into nothing, and keeps the slots. */
function slotsOf(session: () => Vendor, accepted: number): Map<FrameName, Uint8Array[]> {
  return new Map(
    names.map((name) => {
      const vendor = session();
      const slots: Uint8Array[] = [];
      for (let i = 0; i < LONGEST; i++) {
        const { sequence, box } = vendor.session.seal(PLAINTEXT[name]);
        assert.equal(sequence, accepted + 1 + i);
        if (name === 'foreign box') box[0]! ^= 1;
        vendor.place(box, sequence, (slot) => {
          if (name === 'damaged slot') slot[20]! ^= 1;
          slots.push(slot.slice());
        });
      }
      return [name, slots];
    }),
  );
}

/** In `written`: the job done, its replies fetched. */
function written(): { bench: Bench; vendor: Vendor } {
  const both = active(plan);
  assert.equal(writeAll(both.vendor, plan, new Image(plan)).name, 'WRITTEN');
  both.vendor.settle();
  return both;
}

const model = (state: StubState, error = 0, handshakes = 1, boxFailed = false): Model => ({
  ...fresh,
  state,
  error,
  handshakes,
  boxFailed,
});

function keyed(make: () => { bench: Bench; vendor: Vendor }, state: StubState): Node {
  const { bench } = make();
  const { accepted } = bench.status;
  const from = bench.board.snapshot();
  return { from, model: model(state), accepted, slots: slotsOf(() => make().vendor, accepted) };
}

/** A node without a session: frames of any content are in the slots. */
function idle(bench: Bench, at: Model, slots: Node['slots']): Node {
  return { from: bench.board.snapshot(), model: at, accepted: 0, slots };
}

function nodes(): Node[] {
  const first = keyed(() => active(plan), 'active');
  const done = keyed(written, 'written');
  const waiting = Bench.booted();
  new Vendor(waiting, encodePlan(plan)).giveJob();
  waiting.setControl('COMMAND', 0);
  const offered = Bench.booted();
  new Vendor(offered, encodePlan(plan)).giveJob();
  offered.runUntil(() => offered.state === 'offered', 1000, 'M1');
  const left = (exit: (bench: Bench, vendor: Vendor) => void, state: StubState) => {
    const { bench, vendor } = active(plan);
    exit(bench, vendor);
    bench.runUntil(() => bench.state === state && bench.control('COMMAND') === 0, 5000, state);
    return bench;
  };
  const failed = left((_, vendor) => vendor.place(new Uint8Array(192), 1), 'aborted');
  const expired = left(() => {}, 'expired');
  const over = written();
  over.vendor.ask({ name: 'END' });
  over.bench.runUntil(() => over.bench.state === 'ended', 10, 'ended');
  return [
    first,
    first,
    first,
    done,
    done,
    idle(waiting, fresh, first.slots),
    idle(offered, model('offered'), first.slots),
    idle(failed, model('aborted', 7, 1, true), first.slots),
    idle(expired, model('expired', 15), first.slots),
    idle(over.bench, model('ended'), first.slots),
  ];
}

/** Commands that make keys are given one time in twelve. */
function pickEvent(draw: (below: number) => number): Event {
  const what = draw(16);
  if (what === 0) return { do: 'wait' };
  if (what < 4) return { do: 'command', value: draw(12) === 0 ? 1 + draw(4) : [3, 5, 6, 0xffffffff][draw(4)]! };
  return { do: 'frame', frame: names[draw(names.length)]! };
}

class Run {
  readonly #bench: Bench;
  readonly #node: Node;
  #sequence: number;

  constructor(bench: Bench, node: Node) {
    this.#bench = bench;
    this.#node = node;
    this.#sequence = node.accepted;
    bench.board.restore(node.from);
  }
  /** Makes `event` happen and lets the stub come to rest. `live`: a session takes frames. */
  apply(event: Event, live: boolean): void {
    const bench = this.#bench;
    if (event.do === 'wait') return bench.runMs(IDLE_MS + 300);
    if (event.do === 'command') {
      bench.setControl('COMMAND', event.value);
      return bench.runUntil(() => bench.control('COMMAND') === 0, 1000, 'command');
    }
    const slot = this.#node.slots.get(event.frame)![live ? this.#sequence - this.#node.accepted : 0]!;
    const sequence = (live ? this.#sequence : 0) + 1;
    bench.write(MEMORY.frames.address + (sequence % FRAME_RING.slots) * SLOT + SLOT - slot.length, slot);
    if (!live) return bench.runMs(0.3);
    const settled = () => bench.status.accepted === sequence || bench.state === 'aborted' || bench.status.again;
    if (event.frame === 'damaged slot') return bench.runUntil(settled, 300, 'want-again');
    bench.runUntil(
      () => (bench.status.accepted === sequence && bench.state !== 'boot') || bench.state === 'aborted',
      300,
      event.frame,
    );
    bench.runMs(1);
    if (bench.status.accepted === sequence) this.#sequence++;
  }
}

describe('stub state machine', () => {
  it(`agrees with the model over ${SEQUENCES} random sequences`, function () {
    this.timeout(0);
    const starts = nodes();
    const random = testRandom(20_000);
    const draw = (below: number) => {
      const bytes = random.bytes(4);
      return new DataView(bytes.buffer).getUint32(0, true) % below;
    };
    const bench = new Bench();
    for (let i = 0; i < SEQUENCES; i++) {
      const node = starts[draw(starts.length)]!;
      const run = new Run(bench, node);
      let expected = node.model;
      const told: string[] = [expected.state];
      for (let left = 1 + draw(LONGEST); left > 0; left--) {
        const event = pickEvent(draw);
        const live = expected === node.model && (expected.state === 'active' || expected.state === 'written');
        if (event.do === 'frame' && !live && expected.state === 'active') break;
        expected = next(expected, event);
        run.apply(event, live);
        told.push(JSON.stringify(event));
        const seen = { state: bench.state, error: bench.error, handshakes: bench.control('HANDSHAKES') };
        const { state, error, handshakes } = expected;
        assert.deepEqual(seen, { state, error, handshakes }, `sequence ${i}: ${told.join(', ')}`);
        if (state === 'offered' && live) break;
      }
    }
  });
});
