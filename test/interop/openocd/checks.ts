// A list of checks by client and operation: a line for each as it is made, a table of all at the end.

interface Result {
  readonly client: string;
  readonly operation: string;
  readonly passed: number;
  readonly failed: number;
}

export class Checks {
  readonly #results: Result[] = [];
  #client = '';
  #operation = '';

  /** Following checks are about `client` doing `operation`. */
  at(client: string, operation: string): void {
    this.#client = client;
    this.#operation = operation;
  }

  check(name: string, holds: boolean, detail = ''): void {
    this.#add(holds ? 1 : 0, holds ? 0 : 1);
    const about = detail === '' ? '' : ` (${detail})`;
    print(`${holds ? 'ok  ' : 'FAIL'} ${this.#client} · ${this.#operation} · ${name}${about}`);
  }

  /** Many checks that another program made and counted. */
  counted(name: string, passed: number, failed: number): void {
    this.#add(passed, failed);
    const verdict = passed > 0 && failed === 0 ? 'ok  ' : 'FAIL';
    print(`${verdict} ${this.#client} · ${this.#operation} · ${name} (${passed} of ${passed + failed})`);
  }

  /** `got` is the number a sheet gives. */
  equal(name: string, got: number, expected: number): void {
    this.check(name, got === expected, `0x${got.toString(16)}, expected 0x${expected.toString(16)}`);
  }

  /** Operations down, clients across; how many checks held of how many. */
  table(): void {
    const clients = unique(this.#results.map(({ client }) => client));
    const operations = unique(this.#results.map(({ operation }) => operation));
    const rows = operations.map((operation) => [operation, ...clients.map((client) => this.#cell(client, operation))]);
    const all = [['', ...clients], ...rows];
    const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
    for (const row of all) print(row.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  }

  summary(): void {
    const [passed, failed] = sums(this.#results);
    print(`${passed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  }

  #add(passed: number, failed: number): void {
    this.#results.push({ client: this.#client, operation: this.#operation, passed, failed });
  }

  #cell(client: string, operation: string): string {
    const mine = this.#results.filter((result) => result.client === client && result.operation === operation);
    if (mine.length === 0) return '–';
    const [passed, failed] = sums(mine);
    return failed === 0 ? `ok ${passed}` : `FAIL ${passed}/${passed + failed}`;
  }
}

function sums(results: readonly Result[]): [passed: number, failed: number] {
  return results.reduce(([passed, failed], result) => [passed + result.passed, failed + result.failed], [0, 0]);
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function print(line: string): void {
  process.stdout.write(`${line.trimEnd()}\n`);
}
