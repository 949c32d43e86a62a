// `--delta` (docs/protocol.md §11): what the chip proves to hold already is left alone, whoever wrote it; everything
// else is as in any other job. Off by default. What it shows to others is here, too: our words say so.
import assert from 'node:assert/strict';
import type { Image } from '../../controller/image/image.ts';
import { compileFlash } from '../../controller/plan/compile.ts';
import { expectedDigests } from '../../controller/plan/steps.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { decodePlan } from '../../shared/plan/plan.ts';
import { ReceiptSchema } from '../../shared/plan/receipt.ts';
import { bootable, FLASH, FLASH_BYTES, flashAfter, imageOf } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { ProductFixture, type RunOptions, type RunOutcome } from '../fixtures/product.ts';
import { tapCrypto } from '../chaos/crypto-tap.ts';

const KIB = 1024;
const SECTOR = 16 * KIB;
const CHIP = requireChip(0x419);
/** Sectors 0 to 3; the last one is not full. */
const OLD = imageOf([FLASH, seeded(700, 3 * SECTOR + 5000)]);
const SECTORS = [[FLASH, 4 * SECTOR]] as const;
const blank = new Uint8Array(FLASH_BYTES).fill(0xff);
const TIMEOUTS = { arrival: 60_000, peer: 30_000, sealed: 20_000, work: 30_000, left: 5000 };
const DELTA = { delta: true, timeouts: TIMEOUTS } as const;

function seeded(seed: number, length: number): Uint8Array {
  const bytes = seededRandom(seed).bytes(length);
  bytes.set(bootable(seed, 256));
  return bytes;
}

/** The same image with one byte of a sector changed. */
function changedIn(sector: number): Image {
  const bytes = OLD.segments[0]!.bytes.slice();
  bytes[sector * SECTOR + 1000]! ^= 1;
  return imageOf([FLASH, bytes]);
}

interface Journal {
  readonly erased: readonly (number | undefined)[];
  readonly words: number;
}

interface Run {
  readonly product: ProductFixture;
  readonly outcome: RunOutcome;
  readonly journal: Journal;
}

/** A job on a board that holds `flash`, and what it did to the flash. */
async function job(flash: Uint8Array, image: Image, options: RunOptions, seed = 701): Promise<Run> {
  const product = new ProductFixture({ repeats: true, seed, board: { flash } });
  const erased: (number | undefined)[] = [];
  let words = 0;
  product.board.flash.onOperation = ({ kind, phase, sector }) => {
    if (phase !== 'start') return;
    if (kind === 'erase') erased.push(sector);
    else words++;
  };
  const outcome = await product.flash(image, options);
  return { product, outcome, journal: { erased, words } };
}

function skippedIn({ outcome }: Run): number[] {
  return outcome.events.flatMap((event) => (event.type === 'sector' && event.skipped ? [event.sector] : []));
}

/**
 * The image and nothing else is in its sectors, and the receipt says the digests of exactly that, over whole sectors.
 */
function requireWritten({ product, outcome }: Run, image: Image, before: Uint8Array): void {
  assert.equal(outcome.error, undefined);
  assert.equal(outcome.agent.result, 'done');
  assert.equal(Buffer.compare(product.board.flash.bytes, flashAfter(before, image, SECTORS)), 0, 'flash is the image');
  const receipt = ReceiptSchema.parse(JSON.parse(outcome.receipt!.text));
  const plan = decodePlan(product.saved.at(-1)!.plan);
  assert.equal(receipt.outcome, 'written');
  assert.equal(receipt.imageDigest, toHex(expectedDigests(plan, image, CHIP).written!));
}

const held = flashAfter(blank, OLD, SECTORS);
const WORDS_OF_BOOT_SECTOR = SECTOR / 4;

describe('--delta', function () {
  this.timeout(120_000);

  it('the identical image again: nothing but the boot sector is written, and the receipt is as good as any', async () => {
    const run = await job(held, OLD, DELTA);
    requireWritten(run, OLD, held);
    assert.deepEqual(run.journal, { erased: [0], words: WORDS_OF_BOOT_SECTOR });
    assert.deepEqual(skippedIn(run), [1, 2, 3]);
    assert.deepEqual(run.product.saved.at(-1)!.acknowledged, [0, 1, 2, 3], 'proven sectors are on record');
  });

  it('identical data again: its first sector is written, for FINAL needs one that was', async () => {
    const bytes = seededRandom(702).bytes(2 * SECTOR);
    const data = imageOf([FLASH + SECTOR, bytes]);
    const flash = blank.slice();
    flash.set(bytes, SECTOR);
    const plan = compileFlash(data, CHIP, { job: seededRandom(703).bytes(16), delta: true, boot: 'none' });
    const run = await job(flash, data, { ...DELTA, plan });
    assert.deepEqual([run.outcome.error, run.outcome.agent.result], [undefined, 'done']);
    assert.deepEqual(run.journal.erased, [1]);
    assert.deepEqual(skippedIn(run), [2]);
    assert.equal(Buffer.compare(run.product.board.flash.bytes, flash), 0);
  });

  it('one sector differs: that one and the boot sector are written', async () => {
    const image = changedIn(2);
    const run = await job(held, image, DELTA);
    requireWritten(run, image, held);
    assert.deepEqual(run.journal, { erased: [0, 2], words: 2 * WORDS_OF_BOOT_SECTOR });
    assert.deepEqual(skippedIn(run), [1, 3]);
  });

  it('a word changed on the board after the earlier job is found and its sector written again', async () => {
    const flash = held.slice();
    flash[SECTOR + 0x123]! ^= 0x10;
    const run = await job(flash, OLD, DELTA);
    requireWritten(run, OLD, flash);
    assert.deepEqual(run.journal.erased, [0, 1]);
  });

  it('left-overs of a longer image behind the new one in its last sector are found: the sector is written again', async () => {
    const flash = held.slice();
    flash[3 * SECTOR + 9000] = 0;
    const run = await job(flash, OLD, DELTA);
    requireWritten(run, OLD, flash);
    assert.deepEqual(run.journal.erased, [0, 3]);
  });

  it('a plan made without it cannot prove a sector that is not full: under --delta that one is written all the same', async () => {
    const product = new ProductFixture({ repeats: true, seed: 701 });
    const run = await job(held, OLD, { ...DELTA, plan: product.planFor(OLD) });
    requireWritten(run, OLD, held);
    assert.deepEqual(run.journal.erased, [0, 3]);
  });

  it('an application behind a resident loader: its boot sector is neither the first nor skipped', async () => {
    const loader = seededRandom(702).bytes(2 * SECTOR);
    const image = imageOf([FLASH, loader], [FLASH + 2 * SECTOR, bootable(703, 9000, FLASH + 2 * SECTOR)]);
    const before = flashAfter(blank, image, [[FLASH, 3 * SECTOR]]);
    const run = await job(before, image, { ...DELTA, boot: FLASH + 2 * SECTOR });
    requireWritten(run, image, before);
    assert.deepEqual(run.journal.erased, [2]);
    const other = imageOf(
      [FLASH, seededRandom(704).bytes(2 * SECTOR)],
      [image.segments[1]!.address, image.segments[1]!.bytes],
    );
    const second = await job(before, other, { ...DELTA, boot: FLASH + 2 * SECTOR });
    requireWritten(second, other, before);
    assert.deepEqual([...second.journal.erased].sort(), [0, 1, 2]);
    assert.equal(second.journal.erased[0], 2, 'the boot sector first');
  });

  it('off by default: the identical image is written in full', async () => {
    const run = await job(held, OLD, { timeouts: TIMEOUTS });
    requireWritten(run, OLD, held);
    assert.deepEqual([...run.journal.erased].sort(), [0, 1, 2, 3]);
    assert.deepEqual(skippedIn(run), []);
  });
});

// ── what an agent can do about it ─────────────────────────────────────────────────────────────────────────────────

const REPLY = 8;
/** Ack of the tunnel's box and type of the message, before its body. */
const BODY_AT = 5;

/** A REPLY and those of an honest job on a board that holds it all → what is said instead. */
type Lie = (reply: Uint8Array, number: number, honest: readonly Uint8Array[]) => Uint8Array;

const flipped: Lie = (reply) => reply.map((byte, at) => (at === reply.length - 20 ? byte ^ 1 : byte));
/** ERASED comes first; then the digests of sectors 1, 2 and 3, the last of which is checked in two ranges. */
const DIGEST_OF_2 = 2;
const LIES: Readonly<Record<string, Lie>> = {
  'alters the digest': (reply, number, honest) => (number === DIGEST_OF_2 ? flipped(reply, number, honest) : reply),
  'repeats the reply before': (() => {
    let before: Uint8Array = new Uint8Array();
    const lie: Lie = (reply, number) => {
      const said = number === DIGEST_OF_2 ? before : reply;
      before = reply;
      return said;
    };
    return lie;
  })(),
  'tells what another chip said that holds it all': (reply, number, honest) =>
    number === DIGEST_OF_2 ? honest[number]! : reply,
  'tells all that another chip said': (reply, number, honest) => honest[number] ?? reply,
};

/** A job whose agent says something else than its chip; without a lie, what the chip said. */
async function lyingJob(flash: Uint8Array, lie: Lie | undefined, honest: readonly Uint8Array[], seed: number) {
  const tap = tapCrypto();
  const replies: Uint8Array[] = [];
  tap.lie = (plaintext) => {
    if (plaintext[BODY_AT - 1] !== REPLY) return plaintext;
    const body = plaintext.slice(BODY_AT);
    const number = replies.push(body) - 1;
    return Uint8Array.of(...plaintext.subarray(0, BODY_AT), ...(lie?.(body, number, honest) ?? body));
  };
  try {
    return { run: await job(flash, OLD, { ...DELTA, givesUpAfterMs: 20_000 }, seed), replies };
  } finally {
    tap.remove();
  }
}

describe('--delta and an agent that lies', function () {
  this.timeout(120_000);
  const flash = held.slice();
  flash[2 * SECTOR + 77]! ^= 1;
  let honest: readonly Uint8Array[] = [];
  before(async () => {
    const { run, replies } = await lyingJob(held, undefined, [], 710);
    requireWritten(run, OLD, held);
    honest = replies;
  });

  for (const [name, lie] of Object.entries(LIES)) {
    it(`${name}: the sector that differs is not skipped, and nothing false is certified`, async () => {
      const { run } = await lyingJob(flash, lie, honest, 711);
      assert.ok(!skippedIn(run).includes(2), 'sector 2 was skipped');
      if (run.outcome.receipt !== undefined) requireWritten(run, OLD, flash);
      else assert.deepEqual(run.product.receipts, []);
      assert.ok(
        run.outcome.events.filter(({ type }) => type === 'sealed').length > 1 || run.outcome.error !== undefined,
      );
    });
  }
});

describe('what --delta shows, and our words say so', function () {
  this.timeout(120_000);

  it('whoever relays sees how many sectors are the same, whoever holds the board which', async () => {
    const bytesOf = ({ product }: Run) => product.captures.relay.reduce((sum, { length }) => sum + length, 0);
    const [same, other] = [await job(held, OLD, DELTA), await job(held, changedIn(1), DELTA)];
    assert.ok(bytesOf(other) - bytesOf(same) > SECTOR);
    assert.deepEqual(other.journal.erased, [0, 1]);
  });

  it('whoever can write the board beforehand learns whether he guessed a sector right', async () => {
    const guess = blank.slice();
    guess.set(held.subarray(SECTOR, 2 * SECTOR), SECTOR);
    guess.set(held.subarray(2 * SECTOR, 3 * SECTOR - 1), 2 * SECTOR);
    const run = await job(guess, OLD, DELTA);
    requireWritten(run, OLD, guess);
    assert.ok(!run.journal.erased.includes(1), 'right');
    assert.ok(run.journal.erased.includes(2), 'wrong by a byte');
  });
});
