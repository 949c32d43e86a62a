// `blindflash probes`: a probe as --probe takes it, and what keeps one from being used.
import assert from 'node:assert/strict';
import { linesOf } from '../../../cli/customer/probes.ts';
import { fail } from '../../../shared/errors/errors.ts';

describe('the list of probes', () => {
  const make = (): never => assert.fail('a list opens nothing');
  const listing = { kind: 'ST-LINK/V2-1', path: 'usb', make } as const;

  it('names each as --probe takes it', () => {
    const serial = '066AFF495087534867123456';
    assert.deepEqual(linesOf({ ...listing, serial, problem: undefined }), [`ST-LINK/V2-1   --probe ${serial}`]);
  });

  it('says why one cannot be used', () => {
    const [line, why = ''] = linesOf({ ...listing, serial: undefined, problem: fail('BF-PROBE-PERMISSION') });
    assert.equal(line, 'ST-LINK/V2-1   no serial number');
    assert.match(why, /does not let you use the ST-LINK/);
  });
});
