// Proves: the probe that is meant is found by serial or server address, and everything else is said in words.
import assert from 'node:assert/strict';
import { chooseListing, driversFor } from '../../../../agent/probe/drivers.ts';
import type { ProbeListing } from '../../../../agent/probe/probe-driver.ts';
import { parseServer } from '../../../../agent/probe/stlink/listing.ts';
import { memoryPieces } from '../../../../agent/probe/adi/memory-pieces.ts';
import { fail, type BlindflashError } from '../../../../shared/errors/errors.ts';
import { rejectsWith } from './support.ts';

const listing = (serial: string | undefined, problem?: BlindflashError): ProbeListing => ({
  kind: 'ST-LINK/V2',
  serial,
  path: 'usb',
  problem,
  make: () => assert.fail('not made here'),
});
const choosing = async (listings: readonly ProbeListing[], selector?: string): Promise<ProbeListing> =>
  chooseListing(listings, selector);

describe('finding a probe', () => {
  it('takes the only one, or the one whose serial begins so', async () => {
    assert.equal((await choosing([listing('AB12')])).serial, 'AB12');
    assert.equal((await choosing([listing('AB12'), listing('CD34')], 'cd')).serial, 'CD34');
    assert.equal((await choosing([listing('AB12'), listing(undefined, fail('BF-PROBE-BUSY'))])).serial, 'AB12');
  });

  it('says none, several, or what is wrong with the only one', async () => {
    await rejectsWith(choosing([]), 'BF-PROBE-NONE');
    await rejectsWith(choosing([listing('AB12')], 'FF'), 'BF-PROBE-NONE');
    const several = await rejectsWith(choosing([listing('AB12'), listing('CD34')]), 'BF-PROBE-SEVERAL');
    assert.match(several.message, /AB12, CD34/);
    await rejectsWith(choosing([listing(undefined, fail('BF-PROBE-PERMISSION'))]), 'BF-PROBE-PERMISSION');
  });

  it('hands every selector to exactly one driver', () => {
    for (const selector of [undefined, 'AB12', 'tcp:host:7184']) {
      assert.equal(driversFor(selector).length, 1, selector);
    }
  });

  it('reads server addresses', async () => {
    assert.deepEqual(parseServer('tcp:127.0.0.1:7185'), { host: '127.0.0.1', port: 7185, serial: undefined });
    assert.deepEqual(parseServer('tcp://127.0.0.1:7185'), { host: '127.0.0.1', port: 7185, serial: undefined });
    assert.deepEqual(parseServer('tcp:bench'), { host: 'bench', port: 7184, serial: undefined });
    assert.deepEqual(parseServer('tcp:bench:1/AB12'), { host: 'bench', port: 1, serial: 'AB12' });
    for (const wrong of ['tcp:', 'tcp:h:0', 'tcp:h:70000', 'tcp:h:1/', 'tcp:h/!']) {
      await rejectsWith((async () => parseServer(wrong))(), 'BF-USAGE');
    }
  });
});

describe('cutting memory transfers', () => {
  it('covers every byte once, inside every limit', () => {
    const limits = { maxBlock: 1024, maxBlock8: 64, boundary: 4096 };
    for (const [start, length] of [
      [0, 0],
      [1, 1],
      [3, 2],
      [0xffd, 9000],
      [0x20000ffe, 300],
      [0xfffffff0, 16],
    ]) {
      let next = start;
      for (const { address, at, length: size, width } of memoryPieces(start, length, undefined, limits)) {
        assert.equal(address, next);
        assert.equal(at, next - start);
        assert.ok(size > 0 && size <= (width === 8 ? 64 : 1024));
        assert.equal(Math.floor(address / 4096), Math.floor((address + size - 1) / 4096));
        assert.equal(address % (width / 8), 0);
        next += size;
      }
      assert.equal(next, start + length);
    }
  });
});
