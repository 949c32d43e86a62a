// A whole job with an image by chance, and the power cut at every boundary of its flash operations: flash is put
// together as it was then, and the core is followed from power-up. What a broken erase leaves is in power-cut.test.ts.
import assert from 'node:assert/strict';
import { sectorAt, STM32F42X } from '../../shared/chips/index.ts';
import { Board } from '../../sim/board.ts';
import type { FlashJournalEntry } from '../../sim/peripherals/flash-operation.ts';
import { generateImage } from '../fixtures/generated-images.ts';
import { FLASH } from '../fixtures/images.ts';
import { powerUp } from '../fixtures/power-record.ts';
import { ProductFixture } from '../fixtures/product.ts';

const WORD = 4;
/** Enough for a resident loader and the few instructions of a program. */
const INSTRUCTIONS = 40;

export interface Cuts {
  readonly instants: number;
  /** How often the old and the new image were seen to run inside the sectors of the plan. */
  readonly old: number;
  readonly complete: number;
}

/** @throws AssertionError naming the seed and the operation after which half an image ran. */
export async function cutEverywhere(seed: number): Promise<Cuts> {
  const { image, old, shape } = generateImage(seed);
  const product = new ProductFixture({ seed, board: { flash: old } });
  const journal: FlashJournalEntry[] = [];
  product.board.flash.onOperation = (entry) => journal.push(entry);
  const plan = product.planFor(image);
  const outcome = await product.flash(image, { plan });
  const say = (text: string) => `image ${seed} (${shape}): ${text}`;
  assert.equal(outcome.agent.result, 'done', say(`${outcome.agent.result} ${String(outcome.error)}`));
  const written = product.board.flash.bytes.slice();
  const inPlan = (pc: number) => plan.sectors.includes(sectorAt(STM32F42X, pc & ~1)?.index ?? -1);
  const flash = old.slice();
  const seen = { instants: 0, old: 0, complete: 0 };
  const look = (after: string) => {
    const { executed } = powerUp(new Board({ seed, flash: flash.slice() }), INSTRUCTIONS);
    const ran = executed.some(inPlan);
    const state = same(flash, old) ? 'old' : same(flash, written) ? 'complete' : 'half';
    seen.instants++;
    if (state !== 'half') {
      seen[state] += ran ? 1 : 0;
    } else if (ran) {
      assert.ok(onlyResetVectorMissing(flash, written, plan.bootAddress), say(`half of it runs after ${after}`));
    }
  };
  look('nothing');
  for (const { kind, phase, address } of journal) {
    if (phase === 'start') continue;
    apply(flash, written, kind, address);
    look(`${kind} ${address.toString(16)}`);
  }
  assert.ok(same(flash, written), say('the journal leaves another flash than the job'));
  return seen;
}

function apply(flash: Uint8Array, written: Uint8Array, kind: FlashJournalEntry['kind'], address: number): void {
  const offset = address - FLASH;
  if (kind === 'erase') {
    const sector = sectorAt(STM32F42X, address);
    assert.ok(sector !== undefined);
    flash.fill(0xff, sector.base - FLASH, sector.base - FLASH + sector.bytes);
  } else {
    flash.set(written.subarray(offset, offset + WORD), offset);
  }
}

/** The one instant no order of writing avoids: the stack pointer is in place, the reset vector is not yet. */
function onlyResetVectorMissing(flash: Uint8Array, written: Uint8Array, boot: number | undefined): boolean {
  const vector = (boot ?? FLASH) - FLASH + WORD;
  const wanted = written.slice();
  wanted.fill(0xff, vector, vector + WORD);
  return same(flash, wanted);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
