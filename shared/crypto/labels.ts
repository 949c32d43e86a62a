// What the keys of the handshake and of the boxes are derived under: the first part of HKDF's `info`, ASCII
// (docs/protocol.md §4, §5). firmware/common/protocol.h has the same strings, generated from here.
export const KEY_LABELS = {
  confirmR: 'confirm r',
  confirmI: 'confirm i',
  chainI2r: 'chain i2r',
  chainR2i: 'chain r2i',
  chipKey: 'device',
  enroll: 'enroll',
  exporter: 'exporter',
  boxKey: 'box key',
  nextChain: 'next chain',
} as const;

/** Keys of the extractions of the schedule, ASCII (docs/protocol.md §4). */
export const EXTRACTION_KEYS = {
  shared: 'blindflash/2 extract',
  chipKey: 'blindflash/2 device',
  enroll: 'blindflash/2 enroll',
} as const;

/** What the chip's own keys are mixed in under: a label and an extraction of this name. */
export type ChipKeyMix = Exclude<keyof typeof EXTRACTION_KEYS, 'shared'>;
