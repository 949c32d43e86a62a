// What the vendor reads of a board, as its agent told it: nothing that was not read stands there as a figure.
import assert from 'node:assert/strict';
import { helloLines } from '../../../cli/vendor/job-view.ts';
import { foreignText } from '../../../shared/codec/foreign-text.ts';

const PROBE = {
  kind: foreignText('ST-LINK/V2'),
  firmware: foreignText('V2J37S7'),
  serial: foreignText('ABC'),
  millivolts: 3300,
};
const OPEN = { devId: 0x419, revId: 0x2003, flashKiB: 2048, rdp: 0, optcr: 0x0fffaaed, optcr1: 0x0fff0000 } as const;
const UID = '0a0021001437313330343937';

function chipLine(target: Parameters<typeof helloLines>[0]['target']): string {
  const lines = helloLines({ agent: foreignText('1'), stubs: [], probe: PROBE, target });
  return lines.find((line) => line.startsWith('chip')) ?? '';
}

describe('the lines of a board', () => {
  it('give its size and unique id', () => {
    assert.match(
      chipLine({ ...OPEN, uid: UID }),
      /2048 KiB of flash, RDP level 0, unique id 0a0021001437313330343937$/,
    );
  });

  it('of a locked chip say that neither was read', () => {
    const locked = { ...OPEN, uid: '0'.repeat(24), flashKiB: 0, rdp: 1, optcr: 0x0fff55ed } as const;
    assert.match(chipLine(locked), /flash size not read, RDP level 1, unique id not read$/);
  });
});
