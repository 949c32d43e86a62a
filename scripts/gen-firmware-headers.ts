// Writes the headers that firmware/ shares with TypeScript, from the TypeScript tables: firmware/common/protocol.h
// (what chip and controller say to one another), firmware/common/device.h (what only a loader says),
// firmware/ram-stub/mailbox.h (how the stub and the agent pass it on through SRAM), firmware/common/serial.h (how a
// loader and the agent pass it on over a serial line), firmware/common/update.h (update files).
// Run: node --import=tsx scripts/gen-firmware-headers.ts [--check]
// With --check it only compares and exits 1 when a header is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WIDTHS } from '../shared/chips/chip.ts';
import { DIRECTION } from '../shared/crypto/box.ts';
import { EXTRACTION_KEYS, KEY_LABELS } from '../shared/crypto/labels.ts';
import { CHIP_ERRORS } from '../shared/errors/chip-errors.ts';
import {
  ACTIVITIES,
  BOX_SIZES,
  CONTROL,
  HANDSHAKE_LIMITS,
  HEADER,
  HOST_COMMANDS,
  JOB,
  LAYOUTS,
  MAILBOX_MAGIC,
  RANDOM_TESTS,
  STATES,
  STATUS_BITS,
  TRAILER,
  type Layout,
} from '../shared/mailbox/layout.ts';
import { kindRow, KINDS, type Count, type PlanKind } from '../shared/plan/kinds.ts';
import { modeRow, PLAN_MODES } from '../shared/plan/modes.ts';
import {
  BOOT_WORDS_BYTES,
  FLAGS,
  LOCKS,
  NO_ADDRESS,
  PLAN_DOMAIN,
  PLAN_HEADER_BYTES,
  PLAN_LIMITS,
  PLAN_MAGIC,
  RANGE_USES,
} from '../shared/plan/plan.ts';
import {
  COMMAND_PLAIN_BYTES,
  ERASE_ALL,
  ERASED_HOW,
  IMAGE_DATA_BYTES,
  IMAGE_PLAIN_BYTES,
  QUESTION_LIMITS,
  REPLIES,
  REPLY_PLAIN_BYTES,
  ROOT_DOMAIN,
  SEALED_COMMANDS,
  WRITTEN_DOMAIN,
} from '../shared/sealed/messages.ts';
import { SEALED_VERSION } from '../shared/sealed/payloads.ts';
import { CHIP_KEY_OFFSETS, KEY_KINDS, SEALED_BYTES, SEALED_SUITES } from '../shared/sealed/protocol.ts';
import {
  COLUMNS,
  counts,
  define,
  defines,
  enumeration,
  guarded,
  hex,
  numberRows,
  rows,
  upper,
  type Row,
  type Section,
} from './c-header.ts';
import { deviceHeader, ENROLL_MIX } from './device-header.ts';
import { loaderHeader } from './loader-header.ts';
import { serialHeader } from './serial-header.ts';
import { updateHeader } from './update-header.ts';

// ── protocol.h ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What every hash's name of this protocol begins with; the names in protocol.h are what follows. */
const DOMAIN_PREFIX = 'blindflash/2 ';
const afterPrefix = (domain: string) => domain.slice(DOMAIN_PREFIX.length);

const errorRows = Object.entries(CHIP_ERRORS).map(([name, { number, detail }]): Row => [
  `ERROR_${upper(name)}`,
  number,
  detail === '' ? '' : `DETAIL: ${detail}`,
]);

/** Kinds the chip's program takes; their numbers follow on one another. */
const stubKinds = (Object.keys(KINDS) as PlanKind[]).filter((kind) => KINDS[kind].stub);
const flagMask = (kind: PlanKind) =>
  kindRow(kind)
    .flags.map((flag) => `FLAG_${upper(flag)}`)
    .join(' | ') || '0';

/** How many ranges and sectors a plan of a kind has, and its flags: the columns of KINDS as an initializer. */
const kindShapes = (): string =>
  [
    '/*',
    ' * Sectors to erase, ranges to program, ranges only to digest of a plan of each kind, and the flags',
    ' * it may have.',
    ' */',
    '#define KIND_SHAPES \\',
    stubKinds
      .map((kind) => {
        const { sectors, programs, digests } = kindRow(kind);
        const counts = [sectors, programs, digests].map((count) => `COUNT_${upper(count)}`);
        const row = `  [KIND_${upper(kind)}] = {${counts.join(', ')},`;
        const line = `${row} ${flagMask(kind)}}`;
        return line.length + ', \\'.length <= COLUMNS ? line : `${row} \\\n    ${flagMask(kind)}}`;
      })
      .join(', \\\n'),
  ].join('\n');

const PROTOCOL_SECTIONS = [
  counts([
    'What hashes begin with: DOMAIN_PREFIX, then the name (docs/protocol.md §7, §8)',
    [
      ['DOMAIN_PREFIX', DOMAIN_PREFIX],
      ['DOMAIN_PLAN', afterPrefix(PLAN_DOMAIN)],
      ['DOMAIN_ROOT', afterPrefix(ROOT_DOMAIN)],
      ['DOMAIN_WRITTEN', afterPrefix(WRITTEN_DOMAIN)],
    ],
  ]),
  counts([
    'Handshake and boxes of the sealed session (docs/protocol.md §4, §5, §8); sizes in bytes',
    [
      ['SEALED_SUITE', SEALED_SUITES.sealed.suite],
      ['SEALED_PURPOSE', SEALED_SUITES.sealed.purpose],
      ...Object.entries(EXTRACTION_KEYS)
        .filter(([name]) => name !== ENROLL_MIX)
        .map(([name, key]): Row => [`EXTRACT_${upper(name)}`, key]),
      ...Object.entries(KEY_LABELS)
        .filter(([name]) => name !== 'exporter' && name !== ENROLL_MIX) // of the tunnel, of loaders alone
        .map(([name, label]): Row => [`LABEL_${upper(name)}`, label]),
      ['SEALED_VERSION', SEALED_VERSION],
      ['SEALED_BOX_PURPOSE', SEALED_SUITES.sealed.boxPurpose],
      ['SEALED_EPOCH_BOXES', SEALED_SUITES.sealed.epochBoxes],
      ...rows('DIRECTION', DIRECTION),
      ['M1_SIZE', SEALED_BYTES.m1],
      ['M1_PAYLOAD_SIZE', SEALED_BYTES.payload1],
      ['CHIP_KEY_OFFSET', CHIP_KEY_OFFSETS.sessions, 'of D, or D_s, in the payload of M1'],
      ...rows('KEY_KIND', KEY_KINDS),
      ['M2_SIZE', SEALED_BYTES.m2],
      ['M2_PAYLOAD_SIZE', SEALED_BYTES.payload2],
      ['M3_SIZE', SEALED_BYTES.m3],
      ...rows('HANDSHAKES', HANDSHAKE_LIMITS),
    ],
  ]),
  counts([
    'Boxes and what is in them, bytes',
    [
      ...rows('BOX', BOX_SIZES),
      ['IMAGE_PLAIN_SIZE', IMAGE_PLAIN_BYTES],
      ['IMAGE_DATA_MOST', IMAGE_DATA_BYTES],
      ['COMMAND_PLAIN_SIZE', COMMAND_PLAIN_BYTES],
      ['REPLY_PLAIN_SIZE', REPLY_PLAIN_BYTES],
    ],
  ]),
  counts(['Questions about what the session did not erase (docs/protocol.md §8)', rows('QUESTION', QUESTION_LIMITS)]),
  counts(['ERASE in place of a sector: all of them (docs/protocol.md §8)', [['ERASE_ALL', ERASE_ALL]]]),
  enumeration('erased_how', 'How a sector came to be erased, as ERASED says it', rows('ERASED', ERASED_HOW)),
  enumeration('sealed_command_kind', 'First byte of a sealed command', rows('SEALED', SEALED_COMMANDS)),
  enumeration('reply_kind', 'First byte of a sealed reply', rows('REPLY', REPLIES)),
  counts([
    'The plan (docs/protocol.md §7); sizes in bytes, times in milliseconds',
    [
      ['PLAN_MAGIC', Buffer.from(PLAN_MAGIC).readUInt32LE()],
      ['PLAN_HEAD_BYTES', PLAN_HEADER_BYTES],
      ['PLAN_MAX_BYTES', PLAN_LIMITS.bytes],
      ['PLAN_MAX_RANGES', PLAN_LIMITS.ranges],
      ['PLAN_MAX_LABEL', PLAN_LIMITS.labelBytes],
      ['PLAN_IDLE_LEAST', PLAN_LIMITS.idleMs.least],
      ['PLAN_IDLE_MOST', PLAN_LIMITS.idleMs.most],
      ['BOOT_BYTES', BOOT_WORDS_BYTES],
      ['NO_ADDRESS', NO_ADDRESS],
    ],
  ]),
  enumeration('plan_kind', 'What a job does', numberRows('KIND', KINDS)),
  enumeration(
    'plan_count',
    'How many of something a plan may have',
    rows('COUNT', { none: 0, some: 1, any: 2 } satisfies Record<Count, number>),
  ),
  counts([
    'Kinds done by this program: from the first to the last of these',
    [
      ['STUB_KIND_FIRST', Math.min(...stubKinds.map((kind) => KINDS[kind].number))],
      ['STUB_KIND_LAST', Math.max(...stubKinds.map((kind) => KINDS[kind].number))],
    ],
  ]),
  counts(['What else a plan asks for; bits', rows('FLAG', FLAGS)]),
  kindShapes(),
  enumeration(
    'plan_mode',
    'Who may see what',
    numberRows('MODE', Object.fromEntries(PLAN_MODES.map((mode) => [mode, modeRow(mode)]))),
  ),
  enumeration('range_use', 'What a range of the plan is for', rows('USE', RANGE_USES)),
  enumeration('plan_lock', 'What the option bytes become at the end', rows('LOCK', LOCKS)),
  enumeration('flash_width', 'Programming width (PSIZE)', rows('WIDTH', WIDTHS)),
  enumeration('session_state', 'State of the session', rows('STATE', STATES)),
  enumeration('host_command', 'What the host asks', rows('HOST_COMMAND', HOST_COMMANDS)),
  enumeration('chip_activity', 'What the chip is doing', rows('ACTIVITY', ACTIVITIES)),
  enumeration('session_error', 'Why a session ended, or the program refuses to work', [
    ['ERROR_NONE', 0],
    ...errorRows,
  ]),
  counts(['DETAIL of ERROR_RANDOM_FAILED when a test failed', rows('RANDOM_TEST', RANDOM_TESTS)]),
  counts([
    'The job as the transport brings it: its magic word, offsets in bytes',
    [['JOB_MAGIC', JOB.magic], ...rows('JOB_AT', JOB.fields)],
  ]),
];

/** The text of firmware/common/protocol.h. */
export const protocolHeader = (): string => guarded('BF_PROTOCOL_H', PROTOCOL_SECTIONS);

// ── mailbox.h ────────────────────────────────────────────────────────────────────────────────────────────────────────

const MAILBOX_SECTIONS: readonly Section[] = [
  [
    'Stub header',
    [['STUB_HEADER', HEADER.offset], ['STUB_MAGIC', HEADER.magic], ...rows('STUB_HEADER', HEADER.fields)],
  ],
  [
    'Control page, offsets',
    [
      ['MAILBOX_MAGIC_VALUE', MAILBOX_MAGIC],
      ...Object.entries(CONTROL)
        .filter(([name]) => name !== 'SAVE') // the agent's own notes
        .map(([name, field]): Row => [`MAILBOX_${name}`, field.offset, field.what]),
    ],
  ],
  [
    'Fields of STATUS, shifts',
    Object.entries(STATUS_BITS).map(([name, bits]): Row => [`STATUS_${upper(name)}`, bits.shift]),
  ],
  ['Slots: the trailer', rows('TRAILER', TRAILER)],
];

/** What the chip calls an area: a sealed command in its slot is a frame there. */
const areaName = (name: string): string => `MEM_${name === 'commands' ? 'FRAMES' : upper(name)}`;

/** Where things lie on the chips of one target. */
const layoutRows = ({ memory, commandRing, replyRing }: Layout): readonly Row[] => [
  ...Object.entries(memory)
    .filter(([name]) => name !== 'spare')
    .flatMap(([name, area]): Row[] => [
      [areaName(name), area.address, area.what],
      [`${areaName(name)}_SIZE`, area.size],
    ]),
  ['FRAME_SLOTS', commandRing.slots],
  ['FRAME_SLOT_SIZE', commandRing.slotSize],
  ['REPLY_SLOTS', replyRing.slots],
  ['REPLY_SLOT_SIZE', replyRing.slotSize],
];

/** One branch for each target; the Makefile defines STUB_TARGET_<name>. */
const layouts = (): string =>
  Object.entries(LAYOUTS)
    .map(([name, layout], index) =>
      [`#${index === 0 ? 'if' : 'elif'} defined STUB_TARGET_${name}`, ...layoutRows(layout).map(define(hex))].join(
        '\n',
      ),
    )
    .join('\n\n');

/** The text of firmware/ram-stub/mailbox.h. */
export const mailboxHeader = (): string =>
  guarded('BF_MAILBOX_H', [
    `/* Memory and rings */\n${layouts()}\n\n#else\n#error "which target?"\n#endif`,
    ...MAILBOX_SECTIONS.map((section) => defines(section)),
  ]);

const HEADERS: Readonly<Record<string, () => string>> = {
  'firmware/common/protocol.h': protocolHeader,
  'firmware/ram-stub/mailbox.h': mailboxHeader,
  'firmware/common/device.h': deviceHeader,
  'firmware/common/serial.h': serialHeader,
  'firmware/common/update.h': updateHeader,
  'firmware/loader/config_layout.h': loaderHeader,
};

function main(check: boolean): number {
  const outdated = Object.entries(HEADERS).filter(([path, text]) => {
    const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
    if (!check) writeFileSync(file, text());
    return readFileSync(file, 'utf8') !== text();
  });
  for (const [path] of outdated) {
    console.error(`${path} differs from the tables of shared/: run scripts/gen-firmware-headers.ts`);
  }
  return outdated.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.includes('--check'));
