// What `keys --clear` takes (docs/devices.md).
import assert from 'node:assert/strict';
import { clearedPlaces } from '../../../cli/vendor/keys.ts';

describe('keys: which', () => {
  it('are counted from 1, as `loader make` lists them', () => {
    assert.deepEqual(clearedPlaces('1'), [0]);
    assert.deepEqual(clearedPlaces('2,4'), [1, 3]);
    assert.deepEqual(clearedPlaces('1-3'), [0, 1, 2]);
  });

  it('a loader has four, and none is meant by nothing', () => {
    for (const text of ['0', '5', '1,5', '0-2', 'a', '', undefined]) {
      assert.throws(() => clearedPlaces(text), { code: 'BF-USAGE' });
    }
  });
});
