// Asks a machine the suites of test/interop/firmware-host, in portions that fit memory.

import type { Case, Suite } from '../firmware-host/host.ts';
import { Answers, type Machine, Program } from './program.ts';
import type { Shipped } from './shipped.ts';
import { missing, type Render, speak } from './verbs.ts';

const PORTION_CASES = 2000;
const PORTION_BYTES = 8 << 20;
/** What a step without bytes takes in a list for QEMU. */
const STEP_BYTES = 40;

export interface Outcome {
  readonly passed: number;
  /** A sentence for each case that failed. */
  readonly failures: readonly string[];
}

/** Cases whose answers are still to come. */
class Portion {
  readonly program: Program;
  readonly #cases: Case[] = [];
  readonly #renders: Render[] = [];
  #bytes = 0;

  constructor(program: Program) {
    this.program = program;
  }
  get full(): boolean {
    return this.#cases.length >= PORTION_CASES || this.#bytes >= PORTION_BYTES;
  }
  add(one: Case): void {
    const from = this.program.steps.length;
    this.#renders.push(speak(this.program, one.ask));
    this.#cases.push(one);
    for (const step of this.program.steps.slice(from)) {
      this.#bytes += STEP_BYTES + (step.op === 'write' ? step.bytes.length : 0);
    }
  }
  run(machine: Machine): string[] {
    const answers = new Answers(machine.run(this.program.steps));
    return this.#cases.flatMap((one, i) => {
      const said = attempt(() => this.#renders[i]!(answers));
      const got = one.by ? one.by(said) : said;
      return got === one.want ? [] : [`${short(one.ask)}: wanted ${short(one.want)}, got ${short(got)}`];
    });
  }
}

/** Names of functions that `suite` needs and the shipped stub lacks. */
export function lacking({ functions }: Shipped, suite: Suite): string[] {
  const program = new Program(functions);
  return [...new Set(suite.cases.flatMap((one) => missing(program, one.ask)))];
}

/** Runs the cases of `suite` on `machine`. */
export function ask(machine: Machine, { functions }: Shipped, suite: Suite): Outcome {
  const failures: string[] = [];
  let portion = new Portion(new Program(functions));
  for (const one of suite.cases) {
    if (portion.full) {
      failures.push(...portion.run(machine));
      const { place } = portion.program;
      portion = new Portion(new Program(functions));
      portion.program.place = place;
    }
    portion.add(one);
  }
  failures.push(...portion.run(machine));
  return { passed: suite.cases.length - failures.length, failures };
}

function attempt(work: () => string): string {
  try {
    return work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function short(text: string): string {
  return text.slice(0, 160);
}
