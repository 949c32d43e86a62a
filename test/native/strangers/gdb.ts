// gdb-multiarch on OpenOCD's port debugs the example bootloader with its source. Line numbers are looked up in the source,
// values follow from it (examples/bootloader).
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Checks } from '../openocd/checks.ts';
import { connection } from '../openocd/session.ts';
import { startProbe } from '../openocd/virtual-probe.ts';

const CLIENT = 'gdb on OpenOCD';
const READY = /Listening on port (\d+) for gdb connections/;

/** Sections of what gdb is told, each introduced by `@NAME`; answers are cut apart at the same words. */
const SCRIPT = {
  load: ['monitor reset halt', 'load', 'compare-sections'],
  break: ['monitor reset halt', 'break image_check', 'continue', 'backtrace', 'print/x (unsigned)header', 'list'],
  step: ['tbreak main', 'monitor reset halt', 'continue', 'next', 'step', 'backtrace 1', 'stepi', 'info registers pc'],
  watch: ['delete', 'monitor reset halt', 'watch milliseconds', 'continue', 'continue', 'print milliseconds'],
  exception: ['delete', 'break systick_handler', 'continue', 'backtrace'],
  finish: ['delete', 'monitor reset halt', 'break tick_since', 'continue', 'finish', 'print milliseconds < 1000'],
  write: ['set var blinker.seconds = 41', 'print blinker.seconds', 'x/2xw 0x08000000'],
} as const;

/** Debugs `elf` (the bootloader with DWARF) on an erased board. */
export async function gdbOnOpenocd(checks: Checks, elf: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'strangers-'));
  const probe = await startProbe(['--flash', join(folder, 'flash.bin')]);
  const port = await freePort();
  const options = ['-c', `gdb_port ${port}`, '-c', 'tcl_port disabled; telnet_port disabled'];
  const openocd = spawn('openocd', [...options, ...connection('dap', { port: probe.port })], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    await says(openocd.stderr, READY);
    judge(checks, answers(elf, port));
  } finally {
    openocd.kill('SIGTERM');
    await probe.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs the script; what gdb answered by section. */
function answers(elf: string, port: number): Record<keyof typeof SCRIPT, string> {
  const commands = ['set pagination off', 'set confirm off', 'set remotetimeout 30', `target extended-remote :${port}`];
  for (const [name, lines] of Object.entries(SCRIPT)) commands.push(`echo @${name}\\n`, ...lines);
  const args = ['-q', '-nx', '-batch', ...commands.flatMap((command) => ['-ex', command]), elf];
  // The debug information names its sources relative to the example's folder.
  const cwd = new URL('../../../examples/bootloader', import.meta.url).pathname;
  const run = spawnSync('gdb-multiarch', args, { encoding: 'utf8', timeout: 120_000, killSignal: 'SIGKILL', cwd });
  if (process.env['VERBOSE'] === '1') process.stdout.write(`${run.stdout}${run.stderr}`.replace(/^/gm, '     | '));
  const sections = run.stdout.split(/^@(\w+)$/m);
  const named = Object.keys(SCRIPT).map((name) => [name, sections[sections.indexOf(name) + 1] ?? '']);
  return Object.fromEntries(named) as Record<keyof typeof SCRIPT, string>;
}

/** Operation → patterns its answer must show. */
const EXPECTED: Readonly<Record<keyof typeof SCRIPT, readonly (readonly [string, RegExp])[]>> = {
  load: [
    ['load through the flash driver', /Loading section \.text[^]*Start address 0x0800/],
    ['compare-sections: .text', /Section \.text, range [^\n]*: matched/],
    ['compare-sections: .data', /Section \.data, range [^\n]*: matched/],
  ],
  break: [
    ['stops at the breakpoint', /Breakpoint 1, image_check \(header=/],
    ['backtrace to main', /#0 +image_check[^]*describe_application[^]*main \(\)/],
    ['argument', /= 0x8020000/],
    ['source', /enum image_verdict image_check/],
  ],
  step: [
    ['stops in main', /main \(\) at bootloader\/main\.c/],
    ['next line', /tick_start\(\);/],
    ['step into tick_start', /tick_start \(\) at common\/tick\.c/],
    ['backtrace', /#0 +tick_start/],
    ['program counter', /pc +0x800[0-9a-f]+ +0x800[0-9a-f]+ <tick_start\+\d+>/],
  ],
  watch: [
    ['hardware watchpoint', /Hardware watchpoint \d+: milliseconds/],
    ['old and new value', /Old value = 0[^]*New value = 1[^]*Old value = 1[^]*New value = 2/],
    ['value', /\$\d+ = 2/],
  ],
  exception: [
    ['stops in the handler', /Breakpoint \d+, systick_handler/],
    ['backtrace through the exception', /#0 +systick_handler[^]*<signal handler called>[^]*main \(\)/],
  ],
  finish: [
    ['runs until the function returns', /blink \(\) at[^]*Value returned is/],
    ['value', /\$\d+ = 1/],
  ],
  write: [
    ['variable', /\$\d+ = 41/],
    ['vector table', /0x8000000[^:]*:\s+0x2[0-9a-f]{7}\s+0x0800[0-9a-f]{4}/],
  ],
};

function judge(checks: Checks, answered: Record<keyof typeof SCRIPT, string>): void {
  for (const [section, patterns] of Object.entries(EXPECTED) as [keyof typeof SCRIPT, (typeof EXPECTED)['load']][]) {
    checks.at(CLIENT, section === 'load' ? 'load, compare-sections' : `source: ${section}`);
    const text = answered[section];
    const failures = patterns.filter(([, pattern]) => !pattern.test(text));
    if (failures.length > 0) process.stdout.write(text.replace(/^/gm, '     | '));
    for (const [name, pattern] of patterns) checks.check(name, pattern.test(text));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Resolves when `stream` has shown `pattern`; goes on reading afterwards so that the writer never waits. */
function says(stream: NodeJS.ReadableStream, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (pattern.test(text)) resolve();
    });
    stream.on('end', () => reject(new Error(`OpenOCD has ended:\n${text}`)));
  });
}
