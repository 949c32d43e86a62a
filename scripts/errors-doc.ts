// Writes docs/errors.md from the tables: node --import=tsx scripts/errors-doc.ts [--check]
// With --check it only compares and exits 1 when the document is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { ERRORS, PARTS, type ErrorRow, type PartName, type Retry } from '../shared/errors/catalogue.ts';
import { wordingFor, type Audience, type ErrorCode } from '../shared/errors/errors.ts';
import { CLOSE, type CloseRow } from '../shared/link/close.ts';

const PATH = fileURLToPath(new URL('../docs/errors.md', import.meta.url));

const RETRIES: Readonly<Record<Retry, string>> = {
  never: 'nothing is repeated',
  access: 'the access to probe or chip is repeated',
  session: 'the sealed session is begun anew',
  board: 'the sealed session is begun anew after a pause for the board',
  link: 'the relay is dialled again',
};

const INTRODUCTION = `# Errors

Every error has a code for programs, a sentence for people, a next step, and an exit status that
names the part to look at. With \`--json\` the same arrives as one object:
\`{"event":"error","code","sentence","detail","remedy","exitStatus"}\`. This file is written from
\`shared/errors/catalogue.ts\`, \`shared/errors/chip-errors.ts\` and \`shared/link/close.ts\` by
\`scripts/errors-doc.ts\`.

Under each code stand what happened and what to do about it (the side that cannot do it is told whose
it is to do), for each side where they differ; the exit status; what Blindflash repeats by itself, a bounded number of times; and whether the vendor can
go on with the job (\`--resume\`) or it is over.`;

/** The text of docs/errors.md. */
export async function errorsDocument(): Promise<string> {
  const sections = sectionTitles().flatMap(([name, title]) => [`## ${title}`, ...errorSections(name)]);
  const text = [INTRODUCTION, ...sections, ...closeSection()].join('\n\n');
  const config = await resolveConfig(PATH);
  return format(text, { ...config, parser: 'markdown' });
}

/** Codes are listed under the word after `BF-`, in the order of the titles' words. */
function sectionTitles(): [string, string][] {
  const words = [...new Set(Object.keys(ERRORS).map(sectionOf))].sort();
  return words.map((word) => [word, PARTS[word as PartName].title]);
}

function sectionOf(code: string): string {
  return (code.split('-')[1] ?? '').toLowerCase();
}

function errorSections(section: string): string[] {
  return (Object.keys(ERRORS) as ErrorCode[])
    .filter((code) => sectionOf(code) === section)
    .map((code) => [`### \`${code}\``, '', ...words(code), `- ${facts(code)}`].join('\n'));
}

/** Sentence and remedy: once, or once for each of the two sides. */
function words(code: ErrorCode): string[] {
  const row: ErrorRow = ERRORS[code];
  const who = row.acts ?? PARTS[row.part].acts;
  if (row.customer === undefined && row.vendor === undefined) {
    const toDo = who === 'anybody' ? 'To do' : `For the ${who} to do`;
    return [literal(row.sentence), '', `- ${literal(`${toDo}: ${row.remedy}`)}`];
  }
  const line = (audience: Audience): string => {
    const { sentence, remedy } = wordingFor(code, audience);
    return `- The ${audience} reads: ${sentence === row.sentence ? '' : `${sentence} `}${remedy}`;
  };
  return [row.sentence, '', line('customer'), line('vendor')].map(literal);
}

function facts(code: ErrorCode): string {
  const { part, retry, endsJob }: ErrorRow = ERRORS[code];
  const after = endsJob ? 'the job is over' : 'the job can be gone on with';
  return `Exit status ${PARTS[part].exitStatus}; ${RETRIES[retry]}; ${after}.`;
}

function closeSection(): string[] {
  const rows = (Object.entries(CLOSE) as [string, CloseRow][]).sort(([, a], [, b]) => a.code - b.code);
  return [
    '## Why a link ended',
    `WebSocket close codes between a side and the relay (\`protocol.md\` §1). *Returns*: the side comes back
by itself, and the error is shown only when that does not succeed in time.`,
    [
      cells('code', 'name', 'said by', 'returns', 'reason', 'error'),
      cells('---', '---', '---', '---', '---', '---'),
      ...rows.map(([name, { code, by, retry, say, error }]) =>
        cells(code, `\`${name}\``, by, retry ? 'yes' : 'no', say, `\`${error}\``),
      ),
    ].join('\n'),
  ];
}

function cells(...texts: readonly (string | number)[]): string {
  return `| ${texts.map((text) => String(text).replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Text that Markdown takes literally. */
function literal(text: string): string {
  return text.replaceAll('*', '\\*');
}

async function main(check: boolean): Promise<number> {
  const text = await errorsDocument();
  if (!check) {
    writeFileSync(PATH, text);
    return 0;
  }
  if (readFileSync(PATH, 'utf8') === text) return 0;
  console.error('docs/errors.md differs from its tables: run scripts/errors-doc.ts');
  return 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.includes('--check'));
