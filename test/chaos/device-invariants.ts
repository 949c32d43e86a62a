// What must hold after every chaos run of a device with a loader (docs/reliability.md, "Invariants").
import { LOADER_MAP } from '../../controller/loader/config.ts';
import type { ChaosDevice } from './device.ts';
import { COMMON_CHECKS, imageBytesOn, sentences, type Check, type Expectation } from './invariants.ts';
import { FLASH_BASE, sectorBounds } from './layout.ts';

/** The loader's own: key slots, and the journal in sectors 2 and 3. */
const SLOTS = LOADER_MAP.slots - FLASH_BASE;
const JOURNAL_ENDS = 0x10000;

const CHECKS = {
  ...COMMON_CHECKS,
  outsidePlan: ({ board, plan, device }, { before }) => {
    const { bytes } = board.flash;
    const same = (from: number, to: number): boolean =>
      Buffer.compare(bytes.subarray(from, to), before.subarray(from, to)) === 0;
    if (!same(0, SLOTS)) return 'the loader itself changed';
    if (device.hasKeys && !same(SLOTS, LOADER_MAP.slots - FLASH_BASE + 0x800)) return 'key slots changed';
    const changed = sectorBounds(plan, 'outside').find(([from, to]) => from >= JOURNAL_ENDS && !same(from, to));
    return changed === undefined ? undefined : `flash changed in ${changed[0].toString(16)}…${changed[1].toString(16)}`;
  },
  optionBytes: ({ board }, { optcr }) =>
    board.options.optcr >>> 8 === optcr >>> 8 ? undefined : `OPTCR became ${board.options.optcr.toString(16)}`,
  nonceTwice: ({ crypto, watch }) => {
    if (crypto.repeats.length > 0) return `nonce ${crypto.repeats[0]} twice under one key`;
    return watch.repeats.length > 0 ? `two boxes under one number: ${watch.repeats[0]}` : undefined;
  },
  plaintext: ({ captures, watch, imageBytes }) =>
    imageBytesOn(imageBytes, [
      ['relay', Buffer.concat(captures.relay)],
      ['serial line', Buffer.concat(watch.carried)],
    ]),
  noProbe: ({ captures }) =>
    captures.usb.length + captures.swd.length > 0 ? 'a debug command went to a locked board' : undefined,
  foreignKeys: ({ enrolled, keysOfBoard }) =>
    enrolled.some(({ sessionKey }) => sessionKey !== keysOfBoard.sessionKey)
      ? 'keys on record are not the board’s'
      : undefined,
  outcome: (product, { mustSucceed }) => {
    const { vendorEnd } = product;
    if (vendorEnd?.good === true && !product.flashIsImage()) return 'the vendor was told done, and the board is not';
    const earnsReceipt = product.device.kind !== 'update';
    if (vendorEnd?.good === true && earnsReceipt && product.stored.length === 0) return 'done without a receipt';
    return mustSucceed && vendorEnd?.good !== true ? `no attacker, and yet: ${vendorEnd?.text ?? 'no end'}` : undefined;
  },
  powerUp: (product) => {
    const { device, vendorEnd, writes } = product;
    const starts = product.startsWith();
    const isNew = writes && product.flashIsImage();
    const isOld = device.old && product.flashIsOld();
    if (starts === 'nothing') return 'the board starts neither an image nor the installer';
    if (starts === 'image' && !isNew && !isOld) return 'an image starts that is neither the old one nor the new one';
    const expected = writes ? vendorEnd?.good === true : device.old;
    return expected && starts !== 'image' ? 'a whole image does not start' : undefined;
  },
} as const satisfies Record<string, Check<ChaosDevice>>;

/** Every invariant that does not hold. `powerUp` restarts the board, so it comes last. */
export function brokenDevice(product: ChaosDevice, expected: Expectation): string[] {
  return sentences(CHECKS, product, expected);
}
