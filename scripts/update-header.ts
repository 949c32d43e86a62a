// firmware/common/update.h: update files as a loader takes them, from shared/update.
import {
  FILES_KEY_DOMAIN,
  UPDATE_BYTES,
  UPDATE_FORMAT,
  UPDATE_LIMITS,
  UPDATE_MAGIC,
  UPDATE_OFFSETS,
} from '../shared/update/format.ts';
import { UPDATE_LABELS, UPDATE_PURPOSES } from '../shared/update/keys.ts';
import { counts, guarded, rows, upper, type Row } from './c-header.ts';

/** Names of hashes of this protocol, as they are behind its common prefix. */
const PREFIX = 'blindflash/2 ';
const afterPrefix = (domain: string) => domain.slice(PREFIX.length);

const { frame, ...labels } = UPDATE_LABELS;

/** The text of firmware/common/update.h. */
export const updateHeader = (): string =>
  guarded('BF_UPDATE_H', [
    counts([
      'The header (docs/update-files.md §2): magic word, format, limits; offsets in bytes',
      [
        ['UPDATE_MAGIC', Buffer.from(UPDATE_MAGIC).readUInt32LE()],
        ['UPDATE_FORMAT', UPDATE_FORMAT],
        ...rows('UPDATE_MOST', UPDATE_LIMITS),
        ...rows('UPDATE_AT', UPDATE_OFFSETS),
      ],
    ]),
    counts(['Sizes, bytes', rows('UPDATE', UPDATE_BYTES)]),
    counts([
      'Names, labels and purposes (docs/update-files.md §3, §4)',
      [
        ['DOMAIN_FILES_KEY', afterPrefix(FILES_KEY_DOMAIN)],
        ['DOMAIN_FRAME', afterPrefix(frame)],
        ...Object.entries(labels).map(([name, label]): Row => [`UPDATE_LABEL_${upper(name)}`, label]),
        ...rows('UPDATE_PURPOSE', UPDATE_PURPOSES),
      ],
    ]),
  ]);
