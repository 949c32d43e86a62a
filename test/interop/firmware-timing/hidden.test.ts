// Never the slow part: a job takes the same time when the primitives cost nothing (docs/stub.md). The stub is
// the committed one; where its primitives lie is asked of an ELF file built from the same sources, so this
// needs the cross compiler.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plan } from '../../../shared/plan/plan.ts';
import { stubImage } from '../../integration/firmware/firmware-fixture.ts';
import { active, FLASH, SampleImage, sendImage, smallPlan } from '../../integration/firmware/sample-jobs.ts';

const KIB = 1024;
const MOST = 0.005;
const stub = fileURLToPath(new URL('../../../firmware/', import.meta.url));
const folder = `${stub}build/`;
const map = `${folder}stub-stm32f42x.map`;

/** Sectors 0, 4 and 5 full: 208 KiB, the boot words in a sector of 16 KiB as usual. */
const plan: Plan = smallPlan({
  sectors: [0, 4, 5],
  ranges: [
    { address: FLASH, length: 16 * KIB, use: 'program' },
    { address: FLASH + 64 * KIB, length: 64 * KIB, use: 'program' },
    { address: FLASH + 128 * KIB, length: 128 * KIB, use: 'program' },
  ],
});

/** [from, to) of every function and table that comes from firmware/common/crypto, by the linker's map. */
function primitives(): [number, number][] {
  const text = readFileSync(map, 'utf8');
  const rows = text.matchAll(/^ \.(?:text|rodata|front)\S*\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+\S*crypto\/(\w+)\.o$/gm);
  return [...rows]
    .filter(([, , , file]) => file !== 'util')
    .map(([, at, size]) => [parseInt(at!, 16), parseInt(at!, 16) + parseInt(size!, 16)]);
}

/** Board time from the first ERASE to WRITTEN, ns. */
function jobTime(free: readonly [number, number][]): number {
  const { fixture, controller: vendor } = active(plan);
  fixture.board.core.freeRanges = free;
  const image = new SampleImage(plan);
  const began = fixture.board.time.now;
  for (const sector of plan.sectors) vendor.send({ name: 'ERASE', sector });
  sendImage(vendor, plan, image);
  plan.sectors.forEach(() => vendor.reply());
  const root = image.root(plan, 'erased');
  const written = vendor.ask({ name: 'FINAL', root, bootWords: image.at(plan.bootAddress!, 64).slice() });
  assert.equal(written.name === 'WRITTEN' && Buffer.compare(written.root, image.root(plan, 'in place')), 0);
  return fixture.board.time.now - began;
}

describe('stub timing', () => {
  it(`hides cryptography under flash: without its cost a job is at most ${MOST * 100} % faster`, () => {
    execFileSync('make', ['-s', '-C', stub, 'all'], { stdio: 'ignore' });
    assert.ok(readFileSync(`${folder}stub-stm32f42x.bin`).equals(stubImage()), 'the rebuild is the prebuilt stub');
    const ranges = primitives();
    assert.ok(ranges.length >= 6, 'primitives found in the map');
    const [real, free] = [jobTime([]), jobTime(ranges)];
    assert.ok(free < real, 'the hook works');
    assert.ok(
      real - free <= MOST * real,
      `${real / 1e6} ms, ${free / 1e6} ms without: ${((100 * (real - free)) / real).toFixed(2)} %`,
    );
  });
});
