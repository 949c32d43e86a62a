// Stock OpenOCD, one process a session, with values reported by its script.
import { spawnSync } from 'node:child_process';

export type Transport = 'dap' | 'hla';

/** How OpenOCD reaches the probe: its TCP backend, or USB under this environment. */
export type Link = { readonly port: number } | { readonly env: NodeJS.ProcessEnv };

const INTERFACE: Readonly<Record<Transport, { readonly file: string; readonly backend: string }>> = {
  dap: { file: 'interface/stlink-dap.cfg', backend: 'st-link backend tcp' },
  hla: { file: 'interface/stlink.cfg', backend: 'hla_stlink_backend tcp' },
};

export interface Session {
  readonly status: number | null;
  /** Everything OpenOCD printed. */
  readonly text: string;
  readonly seconds: number;
  /** What was said: name → value. */
  readonly values: ReadonlyMap<string, string>;
  /** The number said under `name`; NaN when it was not. */
  value(name: string): number;
}

/** The part of OpenOCD's command line that chooses probe and chip. */
export function connection(transport: Transport, link: Link): string[] {
  const { file, backend } = INTERFACE[transport];
  const tcp = 'port' in link ? ['-c', `${backend} ${link.port}`] : [];
  return ['-f', file, ...tcp, '-f', 'target/stm32f4x.cfg'];
}

/** Runs OpenOCD once. Each command is a Tcl line; `say NAME EXPR` is at hand to report a value. */
export function openocd(transport: Transport, link: Link, commands: readonly string[], timeoutMs = 90e3): Session {
  const args = [
    ...['-c', 'gdb_port disabled; tcl_port disabled; telnet_port disabled'],
    ...connection(transport, link),
    ...['-c', 'proc say {name value} { echo "@$name $value" }'],
    ...commands.flatMap((command) => ['-c', command]),
    ...['-c', 'shutdown'],
  ];
  const env = 'env' in link ? link.env : process.env;
  const started = performance.now();
  const run = spawnSync('openocd', args, { encoding: 'utf8', timeout: timeoutMs, killSignal: 'SIGKILL', env });
  const text = `${run.stdout}${run.stderr}`;
  const values = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^@(\S+) (.*)$/gm)) values.set(name!, value!.trim());
  const seconds = (performance.now() - started) / 1000;
  if (process.env['VERBOSE'] === '1' || run.status !== 0) process.stdout.write(text.replace(/^/gm, '     | '));
  return { status: run.status, text, seconds, values, value: (name) => Number(values.get(name) ?? Number.NaN) };
}
