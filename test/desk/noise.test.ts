// Noise and rubbish on the serial line of a board with an image. Longer: `npm run test:desk:more -- --noise SECONDS`.
import assert from 'node:assert/strict';
import { LATEST_MS, startsUnderNoise } from './noise.ts';

const MS = 1500;

describe('desk: noise on the line', function () {
  this.timeout(300_000);

  it('the image starts, 200 ms and a start later at the latest', () => {
    const { starts, visits, latestMs } = startsUnderNoise(MS, 3);
    assert.ok(starts >= 5 && visits > 0, `${visits} of ${starts} passed for a knock`);
    assert.ok(latestMs <= LATEST_MS, `${latestMs} ms`);
  });
});
