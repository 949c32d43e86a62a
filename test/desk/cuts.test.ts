// Power cut at boundaries, and three times more while the board starts. At every boundary:
// `npm run test:desk:more -- --cuts 1`.
import assert from 'node:assert/strict';
import { complete, inInstaller, planted, record, runMs, spinning } from '../integration/loader/loader-fixture.ts';
import { cutEverywhere, wrongOrder } from './cuts.ts';

/** Of the boundaries of each run, one in so many is cut. */
const SPARSE = {
  'keys are made': 32,
  'an install, the journal in its second bank': 106,
  'a change of banks, cells weak after a cut erase': 106,
} as const;

describe('desk: power cuts and three more', function () {
  this.timeout(300_000);

  it('while keys are made: in the end one slot is closed and none half made', () => {
    const outcomes = cutEverywhere('keys are made', SPARSE['keys are made'], 1);
    assert.ok(outcomes.length > 5);
    assert.deepEqual([...new Set(outcomes)], ['keys']);
  });

  for (const name of Object.keys(SPARSE).slice(1) as (keyof typeof SPARSE)[]) {
    it(`${name}: the old image, the installer, or the new one, whole, and no way back to the old one`, () => {
      const outcomes = cutEverywhere(name, SPARSE[name], 1);
      assert.ok(outcomes.length > 5);
      assert.deepEqual(wrongOrder(outcomes), []);
    });
  }

  it('a BEGIN behind an older COMPLETE leads to the installer, in either bank, whatever the other one says', () => {
    const image = spinning();
    const newest = [record('BANK', 5), complete(6, image), record('BEGN', 7)];
    const other = [record('BANK', 1), complete(2, image)];
    for (const banks of [
      [newest, other],
      [other, newest],
      [newest, []],
      [[], newest],
    ] as const) {
      const board = planted({ image, banks });
      for (let cut = 0; cut < 3; cut++) {
        runMs(board, 1 + cut);
        board.powerOff();
        board.powerOn();
      }
      runMs(board, 12);
      assert.ok(inInstaller(board));
    }
  });
});
