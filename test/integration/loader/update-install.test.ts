// Update files on the real loader (docs/update-files.md §5; docs/serial-link.md, "An update file"): a whole install,
// what is refused before anything is written, and what becomes of d_f, the journal and its counts.
import assert from 'node:assert/strict';
import { concat, copyOf } from '../../../shared/codec/bytes.ts';
import { exchangeKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { watchLoads } from '../firmware/bus-watch.ts';
import { installed, installPlan, LoaderController, loaderPlan } from './loader-controller.ts';
import { BANKS, FLASH, IMAGE, record, runToPc, spinning, SPINS_AT, uses } from './loader-fixture.ts';
import type { LoaderLink } from './loader-link.ts';
import { afterPowerCycle, linked, session } from './prepared-boards.ts';
import { contentOf, fileFor, recipientOf, SLOT, stranger, UpdateLine } from './update-line.ts';

const PROGRAM = spinning(9000, 31);
const OTHER = spinning(6000, 32);
const TAG_BYTES = 16;
const TRIES = 16;
const BROKEN = 0x00ff0000;
const OFFLINE = 0x000f0000;

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const word = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

/** Units of a bank, by their kind; what follows COMPLETE counts as one with it. */
function units({ board }: LoaderLink, bank = 0): { kind: string; words: number[] }[] {
  const bytes = board.flash.bytes.slice(BANKS[bank]! - FLASH, BANKS[bank]! - FLASH + 0x4000);
  const found = [];
  for (let at = 0; at < bytes.length && bytes[at] !== 0xff; at += 32) {
    const words = Array.from({ length: 8 }, (_, index) => word(bytes, at + 4 * index));
    found.push({ kind: text(bytes.slice(at, at + 4)), words });
    if (found.at(-1)!.kind === 'CMPL') at += words[6]!;
  }
  return found;
}
const kinds = (link: LoaderLink): string[] => units(link).map(({ kind }) => kind);
const triesOf = (link: LoaderLink, bank = 0): number[] =>
  units(link, bank).flatMap(({ kind, words }) => (kind === 'FILE' ? [words[7]!] : []));
const useWords = (link: LoaderLink): number[] =>
  units(link).flatMap(({ kind, words }) => (kind === 'USES' ? words.slice(1).filter((use) => use !== 0xffffffff) : []));

/** Counts reads of the secrets that files need: d_f, and k. */
function watchSecrets({ board }: LoaderLink): { readonly secret: number; readonly tags: number } {
  const seen = { secret: 0, tags: 0 };
  watchLoads(board, SLOT.fileSecret, SLOT.fileSecret + 32, () => seen.secret++);
  watchLoads(board, SLOT.tags, SLOT.tags + 128, () => seen.tags++);
  return seen;
}

/** A file with the tag of its device and a box that does not open. */
function withBrokenEntry(file: ReturnType<typeof fileFor>): ReturnType<typeof fileFor> {
  const entries = file.entries.map((entry) => concat(copyOf(entry, 0, TAG_BYTES), new Uint8Array(144).fill(7)));
  return { ...file, entries };
}

describe('loader: update files', function () {
  this.timeout(300_000);

  it('a whole file: the image is installed and started, after one use of d_f and one try; its end closes the use and forgives nothing', () => {
    const link = linked();
    const seen = watchSecrets(link);
    const line = new UpdateLine(link);
    const file = fileFor([stranger(1), recipientOf(link.board), stranger(2)], contentOf(PROGRAM));
    assert.equal(line.open(file), 'active');
    assert.deepEqual(kinds(link), ['BANK', 'FILE', 'USES'], 'nothing is erased by an entry');
    assert.deepEqual([triesOf(link), useWords(link)], [[0xfffffffe], [0xffff0000]]);
    assert.equal(line.frames(file.frames), 'ended');
    assert.equal(seen.secret, 16, 'two agreements, each word of d_f read once in each');
    assert.deepEqual(kinds(link), ['BANK', 'FILE', 'USES', 'BEGN', 'CMPL']);
    assert.deepEqual([triesOf(link), useWords(link)], [[0xfffffffe], [OFFLINE]]);
    assert.equal(line.status().replied, file.frames.length);
    assert.deepEqual(installed(link, PROGRAM.length), PROGRAM);
    runToPc(link.board, SPINS_AT, 1500);
  });

  it('an older file may go back down to the floor, and no further', () => {
    const link = linked();
    const at = (version: number, floor: number) =>
      fileFor([recipientOf(link.board)], contentOf(OTHER, { version, floor }), version);
    const install = (on: LoaderLink, version: number, floor = 0) => new UpdateLine(on).install(at(version, floor));
    assert.equal(install(link, 9, 7), 'ended');
    const next = afterPowerCycle(link.board);
    next.board.flash.bytes.fill(0xff, IMAGE - FLASH, IMAGE - FLASH + 4);
    const installer = afterPowerCycle(next.board);
    installer.knock();
    const before = installer.board.flash.bytes.slice();
    assert.equal(install(installer, 6), 'refused');
    assert.deepEqual(installer.board.flash.bytes, before);
    assert.equal(install(installer, 7), 'ended');
  });

  it('two files at a time: the frames of the first are nothing once the second has begun', () => {
    const link = linked();
    const first = fileFor([recipientOf(link.board)], contentOf(PROGRAM), 1);
    const second = fileFor([recipientOf(link.board)], contentOf(OTHER), 2);
    const line = new UpdateLine(link);
    line.open(first);
    line.frames(first.frames.slice(0, 3));
    assert.equal(line.open(second), 'active');
    const mixed = second.frames.flatMap((frame, at) => [first.frames[at + 2] ?? first.frames[0]!, frame]);
    assert.equal(line.frames(mixed), 'ended');
    assert.deepEqual(installed(link, OTHER.length), OTHER);
    assert.deepEqual(triesOf(link), [0xfffffffe, 0xfffffffe]);
  });

  it('a session in the middle of a file ends it, and neither takes what belongs to the other', () => {
    const link = linked();
    const file = fileFor([recipientOf(link.board)], contentOf(PROGRAM));
    const line = new UpdateLine(link);
    line.open(file);
    line.frames(file.frames.slice(0, 2));
    const controller = session(link, installPlan(OTHER));
    line.frame(file.frames[2]!);
    assert.equal(line.status().received, 0, 'no frame in a session');
    controller.install(OTHER);
    assert.deepEqual(installed(link, OTHER.length), OTHER);
    line.open(file);
    controller.sendPlain(new Uint8Array(176));
    assert.deepEqual([line.state, line.status().received], ['active', 1], 'no command in a file');
  });

  it('an M2 while a file waits for its entries is nothing', () => {
    const link = linked();
    const controller = new LoaderController(link, loaderPlan({ kind: 'enroll' }));
    const m2 = controller.answer(controller.offer());
    const line = new UpdateLine(link);
    const file = fileFor([recipientOf(link.board)], contentOf(PROGRAM));
    line.header(file.header);
    link.run(20);
    link.send('m2', m2);
    link.run(50);
    assert.equal(line.state, 'offered');
    line.entries(file.entries);
    line.settle();
    assert.equal(line.state, 'active');
  });
});

describe('loader: update files it refuses, with nothing written and d_f unused', function () {
  this.timeout(300_000);
  const AT = { format: 6, entries: 7, frames: 8, zeros: 12, key: 16, ephemeral: 32, plan: 64 };
  const PLAN = { mode: 7, job: 8, kib: 26, lock: 41, flags: 45, product: 48, version: 52, floor: 56, zero: 60 };
  const set =
    (at: number, value: number) =>
    (header: Uint8Array): void => {
      header[at] = value;
    };
  const cases: readonly (readonly [what: string, change: (header: Uint8Array) => void, error: string])[] = [
    ['of a later format', set(AT.format, 2), 'planMalformed'],
    ['with too many places', set(AT.entries, 17), 'planMalformed'],
    ['with no frames', (header) => header.fill(0, AT.frames, AT.frames + 2), 'planMalformed'],
    ['with something where zeros belong', set(AT.zeros, 1), 'planMalformed'],
    ['by a key it does not know', set(AT.key, 1), 'vendorKey'],
    ['with a public key that is not canonical', set(AT.ephemeral + 31, 0xff), 'planMalformed'],
    ['of another mode', set(AT.plan + PLAN.mode, 1), 'planMalformed'],
    ['with a job', set(AT.plan + PLAN.job, 1), 'planMalformed'],
    ['for another flash size', set(AT.plan + PLAN.kib + 1, 4), 'wrongChip'],
    ['with a lock', set(AT.plan + PLAN.lock, 1), 'planMalformed'],
    ['with a flag', set(AT.plan + PLAN.flags, 1), 'planMalformed'],
    ['for another product', set(AT.plan + PLAN.product, 1), 'planMalformed'],
    ['with a floor above its version', set(AT.plan + PLAN.floor, 8), 'planMalformed'],
    ['with a fourth word', set(AT.plan + PLAN.zero, 1), 'planMalformed'],
    ['with a range that is only compared', (header) => set(header.length - 20, 2)(header), 'planMalformed'],
  ];

  it('a header', () => {
    for (const [what, change, error] of cases) {
      const link = linked();
      const seen = watchSecrets(link);
      const flash = link.board.flash.bytes.slice();
      const { header } = fileFor([recipientOf(link.board)], contentOf(PROGRAM));
      const changed = header.slice();
      change(changed);
      const line = new UpdateLine(link);
      line.header(changed);
      link.runUntil(() => line.state === 'refused', 1000, what);
      assert.equal(line.error, error, what);
      assert.deepEqual([seen.secret, seen.tags], [0, 0], what);
      assert.deepEqual(link.board.flash.bytes, flash, what);
    }
  });

  it('entries of others: they end with the first frame', () => {
    const link = linked();
    const seen = watchSecrets(link);
    const flash = link.board.flash.bytes.slice();
    const file = fileFor(
      Array.from({ length: 40 }, (_, at) => stranger(at)),
      contentOf(PROGRAM),
    );
    const line = new UpdateLine(link);
    assert.equal(line.open(file), 'offered');
    assert.equal(line.frames(file.frames.slice(0, 1)), 'aborted');
    assert.equal(line.error, 'noEntry');
    assert.equal(seen.secret, 0);
    assert.ok(seen.tags > 0, 'k tells whose entries they are');
    assert.deepEqual(link.board.flash.bytes, flash);
  });

  it('junk in the place of entries, many times', () => {
    const link = linked();
    const seen = watchSecrets(link);
    const flash = link.board.flash.bytes.slice();
    const random = seededRandom(6);
    for (let i = 0; i < 20; i++) {
      const { header } = fileFor([stranger(i)], contentOf(PROGRAM), i);
      const line = new UpdateLine(link);
      line.open({ header, entries: Array.from({ length: 1 + (i % 26) }, () => random.bytes(160)) });
      line.frames([random.bytes(i % 2 === 0 ? 224 : 4096)]);
      assert.equal(line.error, 'noEntry');
    }
    assert.equal(seen.secret, 0);
    assert.deepEqual(link.board.flash.bytes, flash);
  });

  it('… but one by a vendor key that is for files alone it takes', () => {
    const [files, sessions] = [77, 79].map((seed) => exchangeKeyPairFrom('sealed', seededRandom(seed).bytes(32)));
    const keys = [
      { publicKey: files!.publicKey, roles: ['files'] },
      { publicKey: sessions!.publicKey, roles: ['sessions'] },
    ] as const;
    const link = linked({ config: { keys } }, 'files alone');
    const line = new UpdateLine(link);
    assert.equal(line.open(fileFor([recipientOf(link.board)], contentOf(PROGRAM))), 'active');
  });

  it('a file by a vendor key without that role, or one it takes no more', () => {
    const other = exchangeKeyPairFrom('sealed', seededRandom(79).bytes(32));
    const first = exchangeKeyPairFrom('sealed', seededRandom(77).bytes(32));
    for (const roles of [['sessions'], ['sessions', 'files']] as const) {
      const keys = [
        { publicKey: first.publicKey, roles },
        { publicKey: other.publicKey, roles: ['sessions', 'keys', 'spare'] },
      ] as const;
      const link = linked({ config: { keys } }, `files ${roles.join(' ')}`);
      const line = new UpdateLine(link);
      const file = fileFor([recipientOf(link.board)], contentOf(PROGRAM));
      if (roles.length === 2) {
        line.header(file.header);
        link.runUntil(() => line.state === 'offered', 1000, 'it is taken');
        const controller = new LoaderController(link, loaderPlan({ kind: 'keys', words: [1] }), { keys: other });
        controller.connect();
        assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
      }
      line.header(file.header);
      link.runUntil(() => line.state === 'refused', 1000, roles.join(' '));
      assert.equal(line.error, 'vendorKey');
    }
  });
});

describe('loader: tries with an update file', function () {
  this.timeout(300_000);

  it('sixteen, over power cycles too; then it is taken no more; another is, and its end sets no wait back', () => {
    let link = linked();
    const file = fileFor([recipientOf(link.board)], contentOf(PROGRAM));
    const broken = withBrokenEntry(file);
    for (let i = 1; i <= TRIES; i++) {
      if (i === TRIES / 2) {
        link = afterPowerCycle(link.board);
        link.knock();
      }
      const line = new UpdateLine(link);
      assert.equal(line.open(broken), 'aborted');
      assert.equal(line.error, 'boxFailed');
      assert.deepEqual(triesOf(link), [(0xffffffff << i) >>> 0]);
    }
    assert.equal(useWords(link).length, TRIES);
    const seen = watchSecrets(link);
    const line = new UpdateLine(link);
    assert.equal(line.open(file), 'aborted', 'the genuine entry comes too late');
    assert.equal(line.error, 'tooManyTries');
    assert.deepEqual([seen.secret, useWords(link).length], [0, TRIES]);
    const begun = link.board.time.now;
    assert.equal(line.install(fileFor([recipientOf(link.board)], contentOf(OTHER), 9)), 'ended');
    assert.ok(link.board.time.now - begun > 1e9, 'it waits as a session does');
    assert.equal(useWords(link).at(-1), OFFLINE);
    link.board.flash.bytes.fill(0xff, IMAGE - FLASH, IMAGE - FLASH + 4);
    link = afterPowerCycle(link.board);
    link.knock();
    const again = link.board.time.now;
    const next = fileFor([recipientOf(link.board)], contentOf(OTHER), 10);
    assert.equal(new UpdateLine(link).open(next), 'active');
    assert.ok(link.board.time.now - again > 1e9, 'and so does the next: nobody of the vendor was there');
  });

  it('are those with its ephemeral key, whatever else a header says', () => {
    const link = linked();
    for (const floor of [0, 1, 2]) {
      const file = fileFor([recipientOf(link.board)], contentOf(PROGRAM, { floor }), 5);
      assert.equal(new UpdateLine(link).open(withBrokenEntry(file)), 'aborted');
    }
    assert.deepEqual(triesOf(link), [0xfffffff8]);
  });

  it('a change of banks takes them along, of the newest 64 files', () => {
    const id = (n: number): Uint8Array => new Uint8Array(24).fill(n);
    const tries = (n: number, value: number): Uint8Array =>
      concat(new TextEncoder().encode('FILE'), id(n), Uint8Array.of(value, 0xff, 0xff, 0xff));
    const old = Array.from({ length: 70 }, (_, at) => tries(at, 0xfe - at));
    const head = [record('BANK', 1), ...old];
    const fill = Array.from({ length: 0x4000 / 32 - head.length }, () => uses(...Array<number>(7).fill(BROKEN)));
    fill[fill.length - 1] = uses(...Array<number>(7).fill(0));
    const link = linked({ banks: [[...head, ...fill], []] }, 'a full bank with files');
    const line = new UpdateLine(link);
    assert.equal(line.open(fileFor([recipientOf(link.board)], contentOf(OTHER))), 'active');
    const kept = triesOf(link, 1);
    const expected = Array.from({ length: 64 }, (_, at) => 0xfffffffe - (at + 6));
    assert.deepEqual(kept, [...expected, 0xfffffffe]);
  });
});
