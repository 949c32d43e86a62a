// `npm run test:snapshots`: what makes the real loader use its keys, and what does not (docs/loader.md, "Keys").
// `BLINDFLASH_FORGED=10000` gives it as many forged answers and as many junk files.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { LOADER_MAP } from '../../controller/loader/config.ts';
import { STATES } from '../../shared/mailbox/layout.ts';
import type { Board } from '../../sim/board.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import type { UpdateFileParts } from '../fixtures/update-parts.ts';
import { watchLoads } from '../integration/firmware/bus-watch.ts';
import { installPlan, LoaderController, loaderPlan } from '../integration/loader/loader-controller.ts';
import { record } from '../integration/loader/loader-fixture.ts';
import { LoaderLink } from '../integration/loader/loader-link.ts';
import { afterPowerCycle, image, linked } from '../integration/loader/prepared-boards.ts';
import { contentOf, fileFor, recipientOf, SLOT, stranger, UpdateLine } from '../integration/loader/update-line.ts';

const FORGED = Number(process.env.BLINDFLASH_FORGED ?? 16);
const BANKED = { banks: [[record('BANK', 1)], []] } as const;
const SECRETS = [
  [LOADER_MAP.slots + 4, LOADER_MAP.slots + 36],
  [SLOT.fileSecret, SLOT.fileSecret + 32],
] as const;
/** Broken sessions that cost nothing. */
const FREE = 16;
const M2_BYTES = 128;
/** What the loader still says then is on the line, ms: a packet cut in two would spoil the next one. */
const LINE_MS = 10;
/** Bytes of an entry's tag, and of a file's magic. */
const TAG = 16;
const MAGIC = 4;

const { low_order_u } = JSON.parse(
  readFileSync(new URL('../vectors/rfc/rfc7748-x25519.json', import.meta.url), 'utf8'),
) as { low_order_u: string[] };
const LOW_ORDER = low_order_u.map((u) => Uint8Array.from(Buffer.from(u, 'hex')));

/** Loads of d_s and d_f, counted. */
function uses(board: Board): { count: number } {
  const seen = { count: 0 };
  for (const [from, to] of SECRETS) watchLoads(board, from, to, () => seen.count++);
  return seen;
}

/** The i-th forgery of an answer: a bit of it, its confirmation, all of it, or a point no honest one has. */
function forgery(m2: Uint8Array, other: Uint8Array, i: number): Uint8Array {
  const random = seededRandom(7000 + i);
  const forged = m2.slice();
  const kinds = [
    () => (forged[random.int(M2_BYTES)]! ^= 1 << random.int(8)),
    () => forged.set(random.bytes(32), M2_BYTES - 32),
    () => forged.set(random.bytes(M2_BYTES)),
    () => forged.set(LOW_ORDER[random.int(LOW_ORDER.length)]!),
    () => forged.set(random.bytes(32), 0),
    () => forged.set(other),
    () => forged.set(other.subarray(0, 32)),
    () => forged.set(other.subarray(M2_BYTES - 32), M2_BYTES - 32),
  ];
  kinds[i % kinds.length]!();
  return forged;
}

type Opened = Pick<UpdateFileParts, 'header' | 'entries'>;

/** The i-th junk file: without a tag that is right for its header and this device. */
function junk(genuine: Opened, foreign: Opened, i: number): Opened {
  const random = seededRandom(8000 + i);
  const bent = (bytes: Uint8Array, below = bytes.length): Uint8Array => {
    const changed = bytes.slice();
    changed[random.int(below)]! ^= 1 << random.int(8);
    return changed;
  };
  const { header, entries } = genuine;
  const kinds: (() => Opened)[] = [
    () => ({ header, entries: entries.map(({ length }) => random.bytes(length)) }),
    () => ({ header, entries: foreign.entries }),
    () => ({ header: bent(header), entries }),
    () => ({ header: foreign.header, entries: [...entries, ...entries] }),
    () => ({ header, entries: entries.map((entry) => bent(entry, TAG)) }),
    () => ({ header: header.map((byte, at) => (at < MAGIC ? byte : random.int(256))), entries }),
  ];
  return kinds[i % kinds.length]!();
}

describe('uses of the device’s keys', function () {
  this.timeout(1_200_000);

  it(`${FORGED} forged answers: none, and nothing is written; a genuine one is one`, () => {
    const link = linked(BANKED, 'uses');
    const { board } = link;
    const foreign = new LoaderController(link, installPlan(image), { seed: 99 });
    const other = foreign.answer(foreign.offer());
    const controller = new LoaderController(link, installPlan(image));
    const m2 = controller.answer(controller.offer());
    const offered = board.snapshot();
    const flash = board.flash.bytes.slice();
    const seen = uses(board);
    for (let i = 0; i < FORGED; i++) {
      board.restore(offered);
      link.forget();
      link.send('m2', forgery(m2, other, i));
      link.runUntil(() => controller.status().state === STATES.aborted, 2000, `end of forgery ${i}`);
      link.run(LINE_MS);
    }
    assert.equal(seen.count, 0);
    assert.deepEqual(board.flash.bytes, flash);
    board.restore(offered);
    link.forget();
    link.send('m2', m2);
    controller.confirm(link.await('m3'));
    assert.equal(seen.count, 8, 'each word of d_s once');
    assert.notDeepEqual(board.flash.bytes, flash, 'a use word');
  });

  it(`${FORGED} junk files: none, and nothing is written; a genuine one is one`, () => {
    const { board } = linked(BANKED, 'uses');
    const seen = uses(board);
    const flash = board.flash.bytes.slice();
    const genuine = fileFor([recipientOf(board)], contentOf(image));
    const foreign = fileFor([stranger(1), stranger(2)], contentOf(image), 78);
    const begun = board.snapshot();
    for (let i = 0; i < FORGED; i++) {
      board.restore(begun);
      assert.notEqual(
        new UpdateLine(new LoaderLink(board)).open(junk(genuine, foreign, i)),
        'active',
        `junk file ${i}`,
      );
    }
    assert.equal(seen.count, 0);
    assert.deepEqual(board.flash.bytes, flash);
    board.restore(begun);
    assert.equal(new UpdateLine(new LoaderLink(board)).open(genuine), 'active');
    assert.equal(seen.count, 16, 'each word of d_f once, in each of two agreements');
    assert.notDeepEqual(board.flash.bytes, flash, 'a use word');
  });

  it('16 broken sessions are free; then each waits twice as long, over power cycles, until one ends in order', () => {
    let link = linked(BANKED, 'uses');
    const open = (): { took: number; controller: LoaderController } => {
      const controller = new LoaderController(link, loaderPlan({ kind: 'enroll' }));
      const m2 = controller.answer(controller.offer());
      const from = link.board.time.now;
      link.send('m2', m2);
      controller.confirm(link.await('m3', 30_000));
      return { took: (link.board.time.now - from) / 1e6, controller };
    };
    const again = (): void => {
      link = afterPowerCycle(link.board);
      link.knock();
    };
    const waits: number[] = [];
    for (let i = 0; i < FREE + 2; i++) {
      waits.push(open().took);
      again();
    }
    for (const [i, took] of waits.entries()) {
      const least = i < FREE ? 0 : 1000 << (i - FREE);
      assert.ok(took >= least && took < least + 900, `session ${i} took ${took} ms`);
    }
    const { took, controller } = open();
    assert.ok(took >= 4000, `${took}`);
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
    again();
    assert.ok(open().took < 900);
  });
});
