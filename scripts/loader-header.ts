// firmware/loader/config_layout.h: the loader's config block, from controller/loader/config.ts.
import {
  CONFIG_BYTES,
  CONFIG_FIELDS,
  CONFIG_FLAGS,
  CONFIG_KEYS,
  CONFIG_MAGIC,
  CONFIG_NONE,
  CONFIG_VERSION,
  KEY_ROLES,
  LOADER_MAP,
} from '../controller/loader/config.ts';
import { counts, defines, guarded, rows, upper, type Row } from './c-header.ts';

const offsets = Object.entries(CONFIG_FIELDS).map(([name, { offset }]): Row => [`CONFIG_AT_${upper(name)}`, offset]);

/** The text of firmware/loader/config_layout.h. */
export const loaderHeader = (): string =>
  guarded('BF_CONFIG_LAYOUT_H', [
    defines(['Where things lie in flash', rows('LOADER', LOADER_MAP)]),
    defines([
      'The config block',
      [
        ['CONFIG_MAGIC', CONFIG_MAGIC],
        ['CONFIG_VERSION', CONFIG_VERSION],
        ['CONFIG_NONE', CONFIG_NONE, 'no pin, no register'],
        ['CONFIG_KEYS', CONFIG_KEYS],
        ['CONFIG_SIZE', CONFIG_BYTES],
      ],
    ]),
    counts(['Its fields, offsets', offsets]),
    defines(['Its flags', rows('CONFIG_FLAG', CONFIG_FLAGS)]),
    defines(['What a vendor key may do; bits', rows('CONFIG_ROLE', KEY_ROLES)]),
  ]);
