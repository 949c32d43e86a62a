// firmware/common/device.h: what tells a loader's handshakes from the stub's, from shared/sealed/protocol.ts.
import { EXTRACTION_KEYS, KEY_LABELS } from '../shared/crypto/labels.ts';
import { WATCHERS } from '../shared/sealed/payloads.ts';
import { CHIP_KEY_OFFSETS, ENROLL_BYTES, SEALED_SUITES } from '../shared/sealed/protocol.ts';
import { counts, guarded, rows, upper, type Row } from './c-header.ts';

/** What an enrolment mixes the device's keys in under. */
export const ENROLL_MIX = SEALED_SUITES.enroll.mix;

const suiteRows = (name: 'device' | 'enroll'): Row[] => {
  const { suite, purpose, epochBoxes } = SEALED_SUITES[name];
  const prefix = upper(name);
  return [
    [`${prefix}_SUITE`, suite],
    [`${prefix}_PURPOSE`, purpose],
    [`${prefix}_EPOCH_BOXES`, epochBoxes],
  ];
};

/** The text of firmware/common/device.h. */
export const deviceHeader = (): string =>
  guarded('BF_DEVICE_H', [
    counts(['Handshakes of a loader (docs/protocol.md §4)', [...suiteRows('device'), ...suiteRows('enroll')]]),
    counts([
      'Enrolment (docs/protocol.md §4, §8): label and extraction; sizes and offsets in bytes',
      [
        ['LABEL_ENROLL', KEY_LABELS[ENROLL_MIX]],
        ['EXTRACT_ENROLL', EXTRACTION_KEYS[ENROLL_MIX]],
        ['ENROLL_M1_SIZE', ENROLL_BYTES.m1],
        ['ENROLL_M1_PAYLOAD_SIZE', ENROLL_BYTES.payload1],
        ['FILE_KEY_OFFSET', CHIP_KEY_OFFSETS.files, 'of D_f in its payload'],
      ],
    ]),
    counts(['Units of the core that are on where somebody looks in; bits', rows('WATCHER', WATCHERS)]),
  ]);
