// Power cut anywhere in a job, the lock included: afterwards the core runs the untouched old image, the complete new
// one, or nothing of the plan's ranges (docs/protocol.md §9; the two exceptions: docs/threat-model.md "Three things a
// power cut can do"); WRITTEN has been said of what flash holds only; nothing outside the plan is touched.
import assert from 'node:assert/strict';
import nacl from 'tweetnacl';
import { concat } from '../../../shared/codec/bytes.ts';
import { parseStatus, slotAddress } from '../../../shared/mailbox/layout.ts';
import { controlAddress, REPLY_RING } from '../../fixtures/f42x.ts';
import { decodeReply, type Reply } from '../../../shared/sealed/messages.ts';
import type { Board } from '../../../sim/board.ts';
import type { FlashJournalEntry } from '../../../sim/peripherals/flash-operation.ts';
import { randomState } from '../../../sim/peripherals/random.ts';
import { active, FLASH, SampleImage, sendImage, smallPlan } from './sample-jobs.ts';
import { sessionSecrets } from './session-secrets.ts';
import { words } from './sealed-controller.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

const BYTES = 256;
const SECTOR = 0x4000;
const CODE_OLD = 0xc0;
const CODE_NEW = 0x80;
const FAULTS = 0xe0;
const SPIN = 0xe7fe;
const SRAM = 0x20000000;
/** Random instants while erasing, programming, committing, locking. */
const RANDOM_CUTS = 125;
/** Replies of the job: ERASED, WRITTEN, LOCKED. */
const WRITTEN = 2;
const LOCKED = 3;
const plan = smallPlan({ lock: 'level 1' }, BYTES);

/** Makes an image that boots: 16 vectors, `b .` at `code`, another at the fault handler. */
function bootable(bytes: Uint8Array, code: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, 0x20001000, true);
  view.setUint32(4, FLASH + code + 1, true);
  for (let vector = 2; vector < 16; vector++) view.setUint32(4 * vector, FLASH + FAULTS + 1, true);
  view.setUint16(code, SPIN, true);
  view.setUint16(FAULTS, SPIN, true);
}

const before = new Uint8Array(0x200000).fill(0xff);
before.set(seededRandom(8).bytes(BYTES));
bootable(before, CODE_OLD);
const image = new SampleImage(plan);
bootable(image.bytes, CODE_NEW);

interface Loaded {
  readonly board: Board;
  /** Opens the stub's replies. */
  readonly key: Uint8Array;
}

/** A board whose stub finds the whole job in its slots and needs nobody any more. */
function loaded(): Loaded {
  const { fixture, controller } = active(plan, {}, before);
  const key = sessionSecrets(fixture, controller)['box key of chain i2r 0']!;
  controller.send({ name: 'ERASE', sector: 0 });
  sendImage(controller, plan, image);
  controller.send({ name: 'FINAL', root: image.root(plan, 'erased'), bootWords: image.at(FLASH, 64).slice() });
  controller.send({ name: 'LOCK' });
  return { board: fixture.board, key };
}

/** Start and end of every flash operation of the job. */
function journal(): FlashJournalEntry[] {
  const { board } = loaded();
  const entries: FlashJournalEntry[] = [];
  board.flash.onOperation = (entry) => void entries.push(entry);
  board.runTo(board.time.now + 1000e6);
  assert.ok(same(board, image.bytes), 'the job runs to its end by itself');
  return entries;
}
const same = (board: Board, bytes: Uint8Array) => Buffer.compare(board.flash.bytes, bytes) === 0;

type Outcome = 'old image' | 'new image' | 'nothing' | 'something';

/** What the core does after power-up: where it settles, or whether it ever was inside the plan's range. */
function outcome(board: Board): Outcome {
  board.powerOff();
  board.powerOn();
  board.runTo(board.time.now + 2e6);
  const pc = board.core.regs[15]!;
  if (same(board, before) && pc === FLASH + CODE_OLD) return 'old image';
  if (same(board, image.bytes) && pc === FLASH + CODE_NEW) return 'new image';
  const inside = pc >= FLASH && pc < FLASH + BYTES;
  return board.core.lockedUp && !inside ? 'nothing' : 'something';
}

/** Reply `sequence` as a controller would open it, if the stub has published it by now. */
function replyOf({ board, key }: Loaded, sequence: number): Reply | undefined {
  const ram = board.soc.memories.ram.find(({ base }) => base === SRAM)!.bytes;
  const view = new DataView(ram.buffer, ram.byteOffset);
  if (parseStatus(view.getUint32(controlAddress('STATUS') - SRAM, true)).reply < sequence) return undefined;
  const end = slotAddress(REPLY_RING, sequence) + REPLY_RING.slotSize - 16 - SRAM;
  const nonce = concat(Uint8Array.of(1, 0x53, 0, 0, 0, 0, 0, 0), words(0, 0, sequence, 0));
  const plain = nacl.secretbox.open(ram.slice(end - 192, end), nonce, key);
  assert.ok(plain, `reply ${sequence} opens`);
  return decodeReply(plain);
}

function rootOf(flash: Uint8Array): Uint8Array {
  const held = new SampleImage(plan);
  held.bytes.set(flash);
  return held.root(plan, 'in place');
}

/** What was said in vain, or touched outside the plan, up to a cut. */
function wrongs(job: Loaded, replies: readonly (Reply | undefined)[], locking: boolean): string[] {
  const { flash, options, soc } = job.board;
  const [written, locked] = replies;
  const wrong: string[] = [];
  const need = (good: boolean, what: string) => void (good || wrong.push(what));
  if (written?.name === 'WRITTEN') {
    need(Buffer.from(written.root).equals(rootOf(flash.bytes)), 'WRITTEN, but it is not');
  }
  if (locked?.name === 'LOCKED') need(options.rdpLevel === 1, 'LOCKED, but it is not');
  need(Buffer.compare(flash.bytes.subarray(SECTOR), before.subarray(SECTOR)) === 0, 'other sectors');
  need(
    soc.memories.otp.bytes.every((byte) => byte === 0xff),
    'OTP',
  );
  need((options.words.user & 0xff) === 0xef && options.words.wrp1 === 0xfff && options.words.wrp2 === 0xfff, 'options');
  need(options.rdpLevel === 0 || (locking && options.rdpLevel === 1), `read protection ${options.rdpLevel}`);
  return wrong;
}

interface Cut {
  readonly result: Outcome;
  readonly wrong: readonly string[];
  readonly replies: readonly (string | undefined)[];
  readonly rdp: number;
}

/** What an operation leaves that is cut next is drawn anew: a fork would draw the same each time. */
function shuffle({ flash }: Board, cut: number): void {
  flash.restore({ ...(flash.snapshot() as object), random: randomState(cut, 'power cut') });
}

/** Cuts power at each of the ascending instants, every time in the same run. */
function cuts(instants: readonly number[], lockAt: number): Cut[] {
  const job = loaded();
  const { board } = job;
  return instants.map((at, i) => {
    board.runTo(at - 200);
    const here = board.snapshot();
    shuffle(board, i);
    board.cutPowerAt(at);
    board.runTo(at + 200);
    const replies = [WRITTEN, LOCKED].map((sequence) => replyOf(job, sequence));
    const wrong = wrongs(job, replies, at > lockAt);
    const rdp = board.options.rdpLevel;
    const result = outcome(board);
    board.restore(here);
    return { result, wrong, rdp, replies: replies.map((reply) => reply?.name) };
  });
}

/** Ascending random instants in [from, to). */
function instants(from: number, to: number, seed: number): number[] {
  const view = new DataView(seededRandom(seed).bytes(4 * RANDOM_CUTS).buffer);
  return Array.from(
    { length: RANDOM_CUTS },
    (_, i) => from + ((to - from) * view.getUint32(4 * i, true)) / 2 ** 32,
  ).sort((a, b) => a - b);
}

describe('stub and power cuts', () => {
  const entries = journal();
  const times = (kind: FlashJournalEntry['kind']) => entries.filter((e) => e.kind === kind).map(({ atNs }) => atNs);
  const erase = times('erase') as [number, number];
  const lock = times('option') as [number, number];
  const word = (index: number) => entries.filter((e) => e.kind === 'program' && e.address === FLASH + 4 * index);
  const boot = word(4)[0]!.atNs;
  const commit = [word(0)[0]!.atNs, word(1)[1]!.atNs] as const;

  /**
   * What may run after a cut. The two exceptions: half an erase, and between the last two words, which
   * may just have come through.
   */
  function allowed(at: number): readonly Outcome[] {
    if (at <= erase[0]) return ['old image'];
    if (at < erase[1]) return ['nothing', 'something'];
    if (at <= commit[0]) return ['nothing'];
    return at < commit[1] ? ['nothing', 'something', 'new image'] : ['new image'];
  }
  function check(at: readonly number[]): Cut[] {
    const all = cuts(at, lock[0]);
    all.forEach(({ result, wrong }, i) => {
      const when = `cut at ${at[i]!} ns, erase ${erase.join('..')}, last words ${commit.join('..')}, lock ${lock.join('..')}`;
      assert.ok(allowed(at[i]!).includes(result), `${result}: ${when}`);
      assert.deepEqual(wrong, [], when);
    });
    return all;
  }
  const saw = (all: readonly Cut[], reply: string) => all.some(({ replies }) => replies.includes(reply));

  it('has operations to cut: one erase, every word, the boot words last, the option bytes', () => {
    assert.equal(entries.length, 2 + 2 * (BYTES / 4) + 2);
    assert.equal(entries.at(-3)!.address, FLASH + 4);
  });
  it('holds at every boundary of a flash operation', () => {
    const around = entries.flatMap(({ atNs }) => [atNs - 10, atNs + 10]);
    const all = check([...new Set(around)].sort((a, b) => a - b));
    assert.deepEqual(
      new Set(all.map(({ result }) => result)),
      new Set(['old image', 'new image', 'nothing', 'something']),
    );
    assert.ok(all.filter(({ result }) => result === 'nothing').length > 100);
  });
  it(`holds at ${RANDOM_CUTS} random instants of the erase: the sector is neither old nor blank`, () => {
    check(instants(erase[0], erase[1], 96));
  });
  it(`holds at ${RANDOM_CUTS} random instants of the programming and of FINAL`, () => {
    check(instants(erase[1], boot, 97));
  });
  it(`holds at ${RANDOM_CUTS} random instants between the first boot word and the lock; WRITTEN is said in time`, () => {
    assert.ok(saw(check(instants(boot, lock[0], 98)), 'WRITTEN'));
  });
  it(`holds at ${RANDOM_CUTS} random instants of the lock: level 1 or as before, LOCKED only afterwards`, () => {
    const all = check(instants(lock[0], lock[1] + 300_000, 99));
    assert.ok(saw(all, 'WRITTEN') && all.some(({ rdp }) => rdp === 1));
    assert.ok(saw(check([lock[1] + 900_000]), 'LOCKED'));
  });
});
