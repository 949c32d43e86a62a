// Bodies of the serial link's packets field by field, against bytes written down here (docs/serial-link.md).
import assert from 'node:assert/strict';

import {
  AGAIN,
  BAUD,
  IDENT,
  readFields,
  STATUS,
  type Ident,
  type LoaderStatus,
} from '../../../../shared/serial/packets.ts';

const counted = (length: number) => Uint8Array.from({ length }, (_, index) => index + 1);

describe('bodies of the serial link', () => {
  it('have every byte in one field, in order', () => {
    for (const fields of [IDENT, STATUS, AGAIN, BAUD]) {
      let end = 0;
      for (const { offset, size } of Object.values(fields)) {
        assert.equal(offset, end);
        end += size;
      }
    }
  });

  it('IDENT reads as the page says', () => {
    const ident: Ident = readFields(IDENT, counted(112));
    assert.deepEqual(ident, {
      format: 1,
      state: 2,
      flags: 0x0403,
      version: 0x0605,
      receiveSlots: 7,
      freeKeySlots: 8,
      product: 0x0c0b0a09,
      imageVersion: 0x100f0e0d,
      floor: 0x14131211,
      loaderHash: counted(84).slice(20),
      uid: counted(96).slice(84),
      optcr: 0x64636261,
      optcr1: 0x68676665,
      devId: 0x6a69,
      flashKiB: 0x6c6b,
      mostBaud: 0x706f6e6d,
    });
  });

  it('STATUS reads as the page says', () => {
    const status: LoaderStatus = readFields(STATUS, counted(36));
    assert.deepEqual(status, {
      state: 1,
      activity: 2,
      argument: 3,
      error: 4,
      accepted: 0x08070605,
      credit: 0x0c0b0a09,
      replied: 0x100f0e0d,
      words: 0x14131211,
      detail: 0x18171615,
      handshakes: 0x1c1b1a19,
      received: 0x201f1e1d,
      dropped: 0x24232221,
    });
  });

  it('a body that is too short is not read', () => {
    assert.throws(() => readFields(STATUS, counted(35)), { code: 'BF-INTERNAL-ARGUMENT' });
  });
});
