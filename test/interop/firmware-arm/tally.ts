// Counts and prints what test:stub checked, and remembers the names, so that the table of pitfalls
// can be held against them.

const SHOWN = 3;

export class Tally {
  passed = 0;
  failed = 0;
  readonly #good = new Set<string>();
  readonly #bad = new Set<string>();
  readonly #began = performance.now();

  part(title: string): void {
    console.log(`\n── ${title} (${Math.round((performance.now() - this.#began) / 1000)} s)`);
  }
  /** One check; `wrong` is what is wrong with it. */
  check(name: string, wrong: string | undefined): void {
    this.cases(name, wrong === undefined ? 1 : 0, wrong === undefined ? [] : [wrong]);
  }
  /** A check of several cases, with a sentence for each that failed. */
  cases(name: string, passed: number, failures: readonly string[]): void {
    const good = failures.length === 0;
    this.passed += passed;
    this.failed += failures.length;
    (good ? this.#good : this.#bad).add(name);
    const total = passed + failures.length;
    console.log(`  ${good ? 'ok  ' : 'FAIL'} ${name}${total === 1 ? '' : `: ${passed} of ${total}`}`);
    for (const line of failures.slice(0, SHOWN)) console.log(`       ${line}`);
  }
  /** True when checks whose name begins with or contains `words` ran, and all of them passed. */
  saw(words: string): boolean {
    const has = (names: Set<string>) => [...names].some((name) => name.includes(words));
    return has(this.#good) && !has(this.#bad);
  }
}
