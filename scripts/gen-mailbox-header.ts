// Writes firmware/ram-stub/mailbox.h from shared/mailbox/layout.ts. Run: node --import=tsx scripts/gen-mailbox-header.ts [--check]
// With --check it only compares and exits 1 when the header is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CHIP_ERRORS } from '../shared/errors/chip-errors.ts';
import {
  ACTIVITIES,
  BOX_SIZES,
  COMMANDS,
  CONTROL,
  HANDSHAKE_LIMITS,
  HEADER,
  JOB,
  LAYOUTS,
  MAILBOX_MAGIC,
  RANDOM_TESTS,
  STATES,
  STATUS_BITS,
  TRAILER,
  type Layout,
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
  ['Errors', Object.entries(CHIP_ERRORS).map(([name, e]): Row => [`ERROR_${upper(name)}`, e.number, e.detail])],
  ['Failed tests of the random generator', rows('RANDOM_TEST', RANDOM_TESTS)],
  ['Slots', [...rows('TRAILER', TRAILER), ...rows('BOX', BOX_SIZES)]],
  ['Job area', [['JOB_MAGIC', JOB.magic], ...rows('JOB', JOB.fields).filter(([name]) => name !== 'JOB_MAGIC')]],
  ['Handshakes', rows('HANDSHAKES', HANDSHAKE_LIMITS)],
];

/** Where things lie on the chips of one target. */
const layoutRows = ({ memory, frameRing, replyRing }: Layout): readonly Row[] => [
  ...Object.entries(memory).flatMap(([name, area]): Row[] => [
    [`MEM_${upper(name)}`, area.address, area.what],
    [`MEM_${upper(name)}_SIZE`, area.size],
  ]),
  ['FRAME_SLOTS', frameRing.slots],
  ['FRAME_SLOT_SIZE', frameRing.slotSize],
  ['REPLY_SLOTS', replyRing.slots],
  ['REPLY_SLOT_SIZE', replyRing.slotSize],
];

const line = ([name, value, note]: Row) => `#define ${name.padEnd(28)} ${hex(value)}${note ? ` /* ${note} */` : ''}`;

/** One branch for each target; the Makefile defines STUB_TARGET_<name>. */
const layouts = (): string =>
  Object.entries(LAYOUTS)
    .map(([name, layout], index) =>
      [`#${index === 0 ? 'if' : 'elif'} defined STUB_TARGET_${name}`, ...layoutRows(layout).map(line)].join('\n'),
    )
    .join('\n\n');

/** The text of firmware/ram-stub/mailbox.h. */
export function mailboxHeader(): string {
  const body = SECTIONS.map(([title, list]) => [`/* ${title} */`, ...list.map(line)].join('\n')).join('\n\n');
  return `/* Generated from shared/mailbox/layout.ts by scripts/gen-mailbox-header.ts; see docs/mailbox.md. Do not edit. */
#ifndef BF_MAILBOX_H
#define BF_MAILBOX_H

/* Memory and rings */
${layouts()}

#else
#error "which target?"
#endif

${body}

#endif
`;
}

function main(check: boolean): number {
  const path = fileURLToPath(new URL('../firmware/ram-stub/mailbox.h', import.meta.url));
  if (!check) {
    writeFileSync(path, mailboxHeader());
    return 0;
  }
  if (readFileSync(path, 'utf8') === mailboxHeader()) return 0;
  console.error('firmware/ram-stub/mailbox.h differs from shared/mailbox/layout.ts: run scripts/gen-mailbox-header.ts');
  return 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.includes('--check'));
