// Images of every make, cut at every boundary (docs/protocol.md §9): a loader whose stack is on 4 bytes is not passed
// over, and what starts is the old image, the complete new one, or nothing of the plan's sectors. More images:
// `npm run test:power-cuts:more`.
import assert from 'node:assert/strict';
import { cutEverywhere, type Cuts } from './images.ts';

const IMAGES = 8;
const IN_A_TEST = 4;

describe('power cut with images by chance', function () {
  this.timeout(120_000);
  const all: Cuts[] = [];
  for (let first = 1; first <= IMAGES; first += IN_A_TEST) {
    it(`images ${first} to ${first + IN_A_TEST - 1}: no half image runs at any boundary`, async () => {
      for (let seed = first; seed < first + IN_A_TEST; seed++) all.push(await cutEverywhere(seed));
    });
  }

  it('every one of them runs when it is complete, and most old ones before the first erase', () => {
    assert.equal(all.length, IMAGES);
    assert.ok(all.every(({ complete, instants }) => complete > 0 && instants > 20));
    assert.ok(all.filter(({ old }) => old > 0).length > IMAGES / 2);
  });
});
