// Writes the section "The vendor's job" of docs/state-machines.md from controller/job/job-table.ts:
// `node --import=tsx scripts/job-table-doc.ts`. A test compares the two.
import { readFileSync, writeFileSync } from 'node:fs';
import { INPUTS, JOB_TABLE, PHASES, TRANSITIONS } from '../controller/job/job-table.ts';
import type { Cell, Input, Phase } from '../controller/job/job-table.ts';
import { MOST_BEGINNINGS, RESTARTS } from '../controller/job/limits.ts';
import { isStarted, wrap } from './generated-text.ts';

const PAGE = new URL('../docs/state-machines.md', import.meta.url);
/** The section is everything from this heading to the next one. */
const HEADING = "## 7. The vendor's job";

const INTRO = `protocol.md §6, §8, §9, §11. Declared in \`controller/job/job-table.ts\`, from which this section is written by
\`scripts/job-table-doc.ts\`; \`controller/job/job-machine.ts\` walks the table, and \`controller/job/job.ts\` has the transitions.
What an input does is decided when it comes; the transition is made once all messages that came together have been heard, at
the next wait: work that is writing to the disk is not interrupted before that is done. A failure goes before an
interruption, an interruption before what was waited for; of several interruptions the last counts, of several failures
the first. Each restart is counted: ${MOST_BEGINNINGS} beginnings at HELLO, as many offers of a sealed session,
${RESTARTS.session} new sessions after trouble with the session, ${RESTARTS.board} after trouble with the board; one more is the failure that ends the job.
The drawing leaves out \`beginAgain\`, which leads to \`hello\`, and failures.`;

const EVERYWHERE = `In every phase: SHEET, CREDIT and PROGRESS are noted; REPLY goes to the sealed session, whose ABORT or whose box
that does not open is \`trouble\` or a failure; PROBLEM is \`trouble\` or a failure, as the error catalogue says
(\`restart\`). Trouble with the session is old news while a new one is being asked for.`;

type Edge = readonly [from: Phase, input: Input, to: Phase];

const phases = Object.keys(PHASES) as Phase[];
const inputsOf = (phase: Phase): [Input, Cell][] => Object.entries(JOB_TABLE[phase]) as [Input, Cell][];

/** The section, heading included. */
function jobTableSection(): string {
  const parts = [
    HEADING,
    wrap(INTRO),
    diagram(),
    'Phases:',
    list(phases.map((phase) => `\`${phase}\`: ${PHASES[phase]}.`)),
  ];
  const inputs = Object.entries(INPUTS).map(([input, meaning]) => `\`${input}\`: ${meaning}.`);
  parts.push('Inputs; names in capitals are messages of the agent:', list(inputs), wrap(EVERYWHERE));
  parts.push('What an input does in a phase; one that is not named is kept or changes nothing:', list(phases.map(row)));
  const transitions = Object.entries(TRANSITIONS).map(
    ([transition, targets]) => `\`${transition}\` → ${targets.map(quoted).join(', ')}`,
  );
  parts.push('Where a transition may lead:', list(transitions));
  return `${parts.join('\n\n')}\n`;
}

/** The page with the section of today. */
export function withJobTableSection(page: string): string {
  const start = page.indexOf(`${HEADING}\n`);
  const end = page.indexOf('\n## ', start);
  return `${page.slice(0, start)}${jobTableSection()}${page.slice(end)}`;
}

function row(phase: Phase): string {
  const cells = inputsOf(phase).map(([input, cell]) => `${input} ${does(cell)}`);
  return `\`${phase}\`: ${cells.length === 0 ? 'nothing' : cells.join('; ')}.`;
}

const WITHOUT_TRANSITION = { keep: 'is kept for its turn', remember: 'is remembered', refuse: 'is refused' } as const;

function does(cell: Cell): string {
  if (!('transition' in cell)) return WITHOUT_TRANSITION[cell.does];
  return `${cell.does === 'take' ? 'is taken by' : 'interrupts, then'} \`${cell.transition}\``;
}

/** The machine drawn, without beginnings anew and without failures. */
function diagram(): string {
  const edges = phases.flatMap((phase) => inputsOf(phase).flatMap(([input, cell]) => edgesOf(phase, input, cell)));
  const lines = edges.map(([from, input, to]) => `    ${from} --> ${to}: ${input}`);
  return ['```mermaid', 'stateDiagram-v2', '    [*] --> waiting', ...lines, '    closed --> [*]', '```'].join('\n');
}

function edgesOf(phase: Phase, input: Input, cell: Cell): Edge[] {
  if (!('transition' in cell) || input === 'failure' || cell.transition === 'beginAgain') return [];
  return TRANSITIONS[cell.transition].map((to) => [phase, input, to] as const);
}

function list(items: readonly string[]): string {
  return items.map((item) => wrap(`- ${item}`, '  ')).join('\n');
}

const quoted = (phase: Phase): string => `\`${phase}\``;

if (isStarted(import.meta.url)) writeFileSync(PAGE, withJobTableSection(readFileSync(PAGE, 'utf8')));
