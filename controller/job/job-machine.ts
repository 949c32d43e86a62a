// Walks the table of job-table.ts: one phase at a time, a transition for what it waited for, another
// one for what interrupts it.
import type { AgentLine } from './agent-line.ts';
import { JOB_TABLE, type After, type Cell, type Input, type Phase, type Transition } from './job-table.ts';
import type { Limit } from './waits.ts';
import type { MessageName, TunnelMessage } from '../../shared/tunnel/messages.ts';

/** Messages of the agent that a phase may wait for. */
const MESSAGES = ['HELLO', 'CONSENT', 'OPTIONS', 'SEALED1', 'SEALED3'] as const satisfies readonly (Input &
  MessageName)[];

export type AwaitableMessage = Extract<TunnelMessage, { readonly name: (typeof MESSAGES)[number] }>;

export function isAwaitable(message: TunnelMessage): message is AwaitableMessage {
  return (MESSAGES as readonly MessageName[]).includes(message.name);
}

/** What the transitions do; each returns the phase it leads to. */
export type JobTransitions = { readonly [Name in Transition]: (argument: never) => After<Name> };
/** What is done on entering a phase: something is sent, something is waited for. */
export type JobEntries = Readonly<Record<Phase, () => void>>;

export class JobMachine {
  readonly #line: AgentLine;
  readonly #transitions: JobTransitions;
  readonly #entries: JobEntries;
  readonly #entered: (phase: Phase) => void;
  #phase: Phase = 'waiting';

  /** @param entered told of every phase before what is done on entering it */
  constructor(
    line: AgentLine,
    transitions: JobTransitions,
    entries: JobEntries,
    entered: (phase: Phase) => void = () => {},
  ) {
    this.#entered = entered;
    this.#line = line;
    this.#transitions = transitions;
    this.#entries = entries;
  }

  /** Enters the first phase. */
  start(): void {
    this.#entries[this.#phase]();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** What this input does in the present phase. */
  does(input: Input): Cell['does'] | undefined {
    return this.#cell(input)?.does;
  }

  /** The input interrupts the present phase at its next wait. @param argument of the transition it causes */
  leave(input: Input, argument?: unknown): void {
    const cell = this.#cell(input);
    if (cell?.does === 'leave') this.#line.waits.interrupt(() => this.#perform(cell.transition, argument));
  }

  /** What the phase waited for is there. @param argument of the transition it causes */
  take(input: Input, argument?: unknown): void {
    const cell = this.#cell(input);
    if (cell?.does === 'take') this.#perform(cell.transition, argument);
  }

  /** The phase has failed. */
  readonly failed = (error: unknown): void => this.take('failure', error);

  /** Waits for the value of an input that is no message. */
  await<T>(input: Input, ready: () => T | undefined, limit: Limit): void {
    const then = (value: T): void => this.take(input, value);
    this.#line.waits.wait({ ready, limit, then, failed: this.failed });
  }

  /** Waits for the messages the phase takes. @param expired instead of a failure when the time is over */
  awaitMessage(limit: Limit, expired?: () => void): void {
    const names = MESSAGES.filter((name) => this.does(name) === 'take');
    const ready = (): AwaitableMessage | undefined => this.#line.inbox.take(names);
    const then = (message: AwaitableMessage): void => this.take(message.name, message);
    this.#line.waits.wait({ ready, limit, then, failed: this.failed, expired });
  }

  #cell(input: Input): Cell | undefined {
    return JOB_TABLE[this.#phase][input];
  }

  /**
   * Makes a transition and enters the phase it leads to; what either throws is a failure of the
   * phase the job is in then.
   */
  #perform(transition: Transition, argument: unknown): void {
    try {
      const phase: Phase = this.#transitions[transition](argument as never);
      this.#phase = phase;
      this.#entered(phase);
      this.#entries[phase]();
    } catch (error) {
      this.failed(error);
    }
  }
}
