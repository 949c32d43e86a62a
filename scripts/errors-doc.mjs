// Writes docs/errors.md from the tables: `node --import=tsx scripts/errors-doc.mjs`. A test compares the two.
import { writeFileSync } from 'node:fs';
import { ERRORS } from '../shared/errors/errors.ts';
import { CLOSE } from '../shared/link/close.ts';

const GROUPS = {
  IMAGE: 'The image file',
  INTERNAL: 'Blindflash itself',
  INVITE: 'The invite',
  JOB: 'The job',
  KEYS: 'Keys on disk',
  LINK: 'The connection',
  PLAN: 'The plan',
  PROBE: 'The ST-LINK',
  RELAY: 'The relay',
  STUB: 'The program in the chip’s RAM',
  TARGET: 'The chip and its wiring',
  TUNNEL: 'The session between the two sides',
  USAGE: 'The command line',
  VERSION: 'Versions',
};

const cell = (text) => String(text).replaceAll('|', '\\|');
const row = (...cells) => `| ${cells.map(cell).join(' | ')} |`;
const groupOf = (code) => code.split('-')[1];

const groups = [...new Set(Object.keys(ERRORS).map(groupOf))].sort();
const sections = groups.flatMap((group) => [
  `## ${GROUPS[group] ?? group}`,
  '',
  row('code', 'what happened', 'what to do', 'exit'),
  row('---', '---', '---', '---'),
  ...Object.entries(ERRORS)
    .filter(([code]) => groupOf(code) === group)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { sentence, remedy, exitStatus }]) => row(`\`${code}\``, sentence, remedy, exitStatus)),
  '',
]);

const closes = Object.entries(CLOSE)
  .sort(([, a], [, b]) => a.code - b.code)
  .map(([name, { code, by, retry, say, error }]) =>
    row(code, `\`${name}\``, by, retry ? 'yes' : 'no', say, `\`${error}\``),
  );

const text = [
  '# Errors',
  '',
  'Every error has a code for programs, a sentence for people, a next step, and an exit status that names the part to look',
  'at. With `--json` the same arrives as one object: `{"event":"error","code","sentence","detail","remedy","exitStatus"}`.',
  'The tables are written from `shared/errors/errors.ts` and `shared/link/close.ts` by `scripts/errors-doc.mjs`.',
  '',
  ...sections,
  '## Why a link ended',
  '',
  'WebSocket close codes between a side and the relay (`protocol.md` §1). *Returns*: the side comes back by itself, and the',
  'error is shown only when that does not succeed in time.',
  '',
  row('code', 'name', 'said by', 'returns', 'reason', 'error'),
  row('---', '---', '---', '---', '---', '---'),
  ...closes,
  '',
].join('\n');

writeFileSync(new URL('../docs/errors.md', import.meta.url), text);
