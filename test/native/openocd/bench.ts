// The pieces of the OpenOCD check: a virtual probe in a process of its own, OpenOCD sessions against it, a list of checks.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface VirtualProbe {
  readonly port: number;
  stop(): Promise<number | null>;
}

/** Starts `blindflash sim` on a free port. */
export async function startProbe(args: readonly string[]): Promise<VirtualProbe> {
  const serve = new URL('serve.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import=tsx', serve, 'sim', '--tcp', '0', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const port = await readyPort(child);
  return {
    port,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function readyPort(child: ChildProcess): Promise<number> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const event = JSON.parse(line) as { event: string; port: number };
    if (event.event === 'ready') return event.port;
  }
  throw new Error('the virtual probe ended before it was ready');
}

export type Transport = 'dap' | 'hla';

const INTERFACE: Readonly<Record<Transport, (port: number) => readonly string[]>> = {
  dap: (port) => ['-f', 'interface/stlink-dap.cfg', '-c', `st-link backend tcp ${port}`],
  hla: (port) => ['-f', 'interface/stlink.cfg', '-c', `hla_stlink_backend tcp ${port}`],
};

export interface Session {
  readonly status: number | null;
  /** Everything OpenOCD printed. */
  readonly text: string;
  /** Lines `@name value` printed by the script: name → value. */
  readonly values: ReadonlyMap<string, string>;
  readonly seconds: number;
}

/** Runs stock OpenOCD once. Each command is a Tcl line; `say NAME EXPR` is at hand to report a value. */
export function openocd(transport: Transport, port: number, commands: readonly string[], timeoutMs = 60e3): Session {
  const args = [
    ...INTERFACE[transport](port),
    ...['-c', 'gdb_port disabled; tcl_port disabled; telnet_port disabled'],
    ...['-f', 'target/stm32f4x.cfg'],
    ...['-c', 'proc say {name value} { echo "@$name $value" }'],
    ...commands.flatMap((command) => ['-c', command]),
    ...['-c', 'shutdown'],
  ];
  const started = performance.now();
  const run = spawnSync('openocd', args, { encoding: 'utf8', timeout: timeoutMs, killSignal: 'SIGKILL' });
  const text = `${run.stdout}${run.stderr}`;
  const values = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^@(\S+) (.*)$/gm)) values.set(name!, value!.trim());
  return { status: run.status, text, values, seconds: (performance.now() - started) / 1000 };
}

/** Counts checks and prints a line for each. */
export class Checks {
  passed = 0;
  failed = 0;

  check(name: string, holds: boolean, detail = ''): void {
    if (holds) this.passed++;
    else this.failed++;
    process.stdout.write(`${holds ? 'ok  ' : 'FAIL'} ${name}${detail === '' ? '' : ` (${detail})`}\n`);
  }
  /** The session said `expected` (a number) under `name`. */
  value(session: Session, prefix: string, name: string, expected: number): void {
    const got = Number(session.values.get(name) ?? Number.NaN);
    this.check(`${prefix}: ${name}`, got === expected, `0x${got.toString(16)}, sheet 0x${expected.toString(16)}`);
  }
  /** OpenOCD printed something matching `pattern`. */
  says(session: Session, name: string, pattern: RegExp): void {
    this.check(name, pattern.test(session.text), pattern.source);
  }
  summary(): void {
    process.stdout.write(`${this.passed} passed, ${this.failed} failed\n`);
    process.exitCode = this.failed === 0 ? 0 : 1;
  }
}
