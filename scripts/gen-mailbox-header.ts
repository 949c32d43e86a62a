// Writes stub/mailbox.h from shared/mailbox/layout.ts. Run: node --import=tsx scripts/gen-mailbox-header.ts [--check]
// With --check it only compares and exits 1 when the header is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  ACTIVITIES,
  BOX_SIZES,
  COMMANDS,
  CONTROL,
  FRAME_RING,
  HANDSHAKE_LIMITS,
  HEADER,
  JOB,
  MAILBOX_MAGIC,
  MEMORY,
  RANDOM_TESTS,
  REPLY_RING,
  STATES,
  STATUS_BITS,
  STUB_ERRORS,
  TRAILER,
} from '../shared/mailbox/layout.ts';

type Row = readonly [name: string, value: number, note?: string];

const hex = (value: number) =>
  `0x${(value >>> 0)
    .toString(16)
    .toUpperCase()
    .padStart(value > 0xffff ? 8 : 2, '0')}u`;
const upper = (name: string) => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
const rows = (prefix: string, table: Record<string, number>): Row[] =>
  Object.entries(table).map(([name, value]) => [`${prefix}_${upper(name)}`, value]);

const SECTIONS: readonly (readonly [title: string, rows: readonly Row[]])[] = [
  [
    'Memory',
    Object.entries(MEMORY).flatMap(([name, area]): Row[] => [
      [`MEM_${upper(name)}`, area.address, area.what],
      [`MEM_${upper(name)}_SIZE`, area.size],
    ]),
  ],
  [
    'Stub header',
    [['STUB_HEADER', HEADER.offset], ['STUB_MAGIC', HEADER.magic], ...rows('STUB_HEADER', HEADER.fields)],
  ],
  [
    'Control page, offsets',
    [
      ['MB_MAGIC_VALUE', MAILBOX_MAGIC],
      ...Object.entries(CONTROL).map(([name, field]): Row => [`MB_${name}`, field.offset, field.what]),
    ],
  ],
  [
    'Fields of STATUS, shifts',
    Object.entries(STATUS_BITS).map(([name, bits]): Row => [`STATUS_${upper(name)}`, bits.shift]),
  ],
  ['States', rows('STATE', STATES)],
  ['Commands', rows('COMMAND', COMMANDS)],
  ['Activities', rows('ACTIVITY', ACTIVITIES)],
  ['Errors', Object.entries(STUB_ERRORS).map(([name, e]): Row => [`ERROR_${upper(name)}`, e.code, e.detail])],
  ['Failed tests of the random generator', rows('RANDOM_TEST', RANDOM_TESTS)],
  [
    'Slots',
    [
      ['FRAME_SLOTS', FRAME_RING.slots],
      ['FRAME_SLOT_SIZE', FRAME_RING.slotSize],
      ['REPLY_SLOTS', REPLY_RING.slots],
      ['REPLY_SLOT_SIZE', REPLY_RING.slotSize],
      ...rows('TRAILER', TRAILER),
      ...rows('BOX', BOX_SIZES),
    ],
  ],
  ['Job area', [['JOB_MAGIC', JOB.magic], ...rows('JOB', JOB.fields).filter(([name]) => name !== 'JOB_MAGIC')]],
  ['Handshakes', rows('HANDSHAKES', HANDSHAKE_LIMITS)],
];

/** The text of stub/mailbox.h. */
export function mailboxHeader(): string {
  const line = ([name, value, note]: Row) => `#define ${name.padEnd(28)} ${hex(value)}${note ? ` /* ${note} */` : ''}`;
  const body = SECTIONS.map(([title, list]) => [`/* ${title} */`, ...list.map(line)].join('\n')).join('\n\n');
  return `/* Generated from shared/mailbox/layout.ts by scripts/gen-mailbox-header.ts; see docs/mailbox.md. Do not edit. */
#ifndef BF_MAILBOX_H
#define BF_MAILBOX_H

${body}

#endif
`;
}

function main(check: boolean): number {
  const path = fileURLToPath(new URL('../stub/mailbox.h', import.meta.url));
  if (!check) {
    writeFileSync(path, mailboxHeader());
    return 0;
  }
  if (readFileSync(path, 'utf8') === mailboxHeader()) return 0;
  console.error('stub/mailbox.h differs from shared/mailbox/layout.ts: run scripts/gen-mailbox-header.ts');
  return 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.includes('--check'));
