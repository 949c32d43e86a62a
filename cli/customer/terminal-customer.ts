// Edge: the customer at a terminal, or a program that reads one JSON object a line (docs/product.md §4).
import { toHex } from '../../shared/codec/bytes.ts';
import type { EventOf } from '../json-events.ts';
import { printJson, say } from '../terminal/output.ts';
import type { Progress } from '../terminal/progress.ts';
import type { Prompt } from '../terminal/prompt.ts';
import { KINDS, type PlanKind } from '../../shared/plan/kinds.ts';
import { LOCKED_TEXT } from '../../shared/plan/modes.ts';
import { BOARD_STATES } from '../../shared/tunnel/bodies.ts';
import { coversPlan, type PriorConsent } from '../../agent/consent/prior-consent.ts';
import { SHEET_WIDTH } from '../../agent/consent/plain-text.ts';
import type { ConsentSheet } from '../../agent/consent/sheet.ts';
import type { AgentOutcome, Customer, JobProgress } from '../../agent/session/ports.ts';
import type { ChipPhase } from '../../agent/transport/port.ts';

export interface TerminalOptions {
  readonly prompt: Prompt;
  readonly progress: Progress;
  readonly json: boolean;
  /** Consent given beforehand. */
  readonly prior?: PriorConsent | undefined;
}

const NOT_COVERED_TEXT =
  'What would be done is not the plan of the vendor that --yes and --vendor agree to, or something that needs the word typed. ' +
  'The answer is no.';

const PHASE_LABELS = {
  waiting: 'waiting',
  erasing: 'erasing',
  programming: 'writing',
  checking: 'checking',
  locking: 'locking',
} as const satisfies Record<ChipPhase, string>;

export class TerminalCustomer implements Customer {
  readonly #options: TerminalOptions;
  #label = '';
  #planted = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  /** What follows is the enrolment, a plan of its own: consent given beforehand was to the one before. */
  planted(): void {
    this.#planted = true;
    this.#options.progress.stop();
  }

  say(text: string): void {
    this.#tell({ event: 'say', text }, text);
  }

  showCode(code: string, again: boolean): void {
    const text = again
      ? `Connected again. If the vendor asks for the code: it is now ${code}`
      : `\n    Code   ${code}\n\nRead this code to the vendor (by telephone, not in the chat the invite came by): he types what he ` +
        'hears, and nothing is sent before it was right, unless he has chosen to work without. If he tells you that it is wrong, ' +
        'press Ctrl-C: somebody may be in between.\n';
    this.#tell({ event: 'code', code, again }, text);
  }

  showSheet({ lines, plan, planHash, vendor, vendorKnown, word }: ConsentSheet): void {
    const rule = '─'.repeat(SHEET_WIDTH);
    const hashes = { planHash: toHex(planHash), vendor: toHex(vendor), vendorKnown, word };
    const record = { event: 'sheet', kind: plan.kind, ...hashes, lines: [...lines] } as const;
    this.#tell(record, ['', rule, ...lines, rule].join('\n'));
  }

  async askConsent(sheet: ConsentSheet, code: string): Promise<boolean> {
    const { prior, prompt } = this.#options;
    const { plan, word } = sheet;
    if (prior === undefined || this.#planted) return prompt.askWord(questionOf(code, plan.kind, word), word);
    const covered = coversPlan(prior, sheet);
    this.say(covered ? 'This is the plan agreed to beforehand with --yes.' : NOT_COVERED_TEXT);
    return covered;
  }

  progress(now: JobProgress): void {
    const { progress } = this.#options;
    const about = now.phase === 'erasing' ? ` sector ${now.number}` : '';
    const label = now.totalBytes > 0 ? 'image' : `${PHASE_LABELS[now.phase]}${about}`;
    if (label !== this.#label && now.totalBytes > 0) progress.start(label, now.totalBytes);
    else if (label !== this.#label) this.say(`${label} …`);
    this.#label = label;
    if (now.totalBytes > 0) progress.update(now.doneBytes);
  }

  /** The last words: how it ended and in what state the board is. The error itself is reported by the caller. */
  finish({ result, board, receipt, plan, byVendor, error }: AgentOutcome): void {
    this.#options.progress.stop();
    const record = { event: 'end', result, board, byVendor, code: error?.code, ...copyOf(receipt) } as const;
    const locked = result === 'done' && plan !== undefined && plan.lock !== 'none' ? [LOCKED_TEXT] : [];
    const again = result === 'failed' && !byVendor && GOES_ON.includes(board) ? [GO_ON_TEXT] : [];
    this.#tell(record, [ENDINGS[result], `Board: ${BOARD_STATES[board]}.`, ...locked, ...again].join('\n'));
  }

  #tell(record: EventOf<'agent'>, text: string): void {
    if (this.#options.json) printJson(record);
    else this.#options.prompt.beside(() => say(text));
  }
}

/** The code is said once more: it is the vendor's voice that stands for it, or for having waived it. */
function questionOf(code: string, kind: PlanKind, word: string): string {
  return (
    `The code is ${code}. Say yes only when the vendor has told you, by voice, that he typed it and it is right; or, ` +
    'if he asked you for none, that he works without it and this plan is his.\n' +
    `Do you agree to this: ${KINDS[kind].forCustomer}?\n` +
    `Type the word of this sheet, ${word}, for yes, or no: `
  );
}

function copyOf(receipt: AgentOutcome['receipt']): { receipt?: string; signature?: string } {
  return receipt === undefined ? {} : { receipt: receipt.text, signature: receipt.signature };
}

/** Boards over which the job can be gone on with. */
const GOES_ON: readonly AgentOutcome['board'][] = ['incomplete', 'waiting'];
const GO_ON_TEXT =
  'Leave the board powered, put right what is named below, and start `blindflash agent` again: it asks whether to go on.';

const ENDINGS = {
  done: 'Done.',
  declined: 'You said no; the vendor has been told.',
  failed: 'The job did not come to its end.',
} as const satisfies Record<AgentOutcome['result'], string>;
