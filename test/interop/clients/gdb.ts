// gdb-multiarch on the port of OpenOCD or st-util debugs the example bootloader with its source. Line numbers are
// looked up in the source, values follow from it (examples/bootloader).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Checks } from '../openocd/checks.ts';
import { connection } from '../openocd/session.ts';
import { startProbe } from '../openocd/virtual-probe.ts';
import type { UsbFixture } from './usb-fixture.ts';

/** A program with a port for gdb. */
interface GdbServer {
  readonly client: string;
  readonly port: number;
  /** Its word for: reset the chip and stop at the first instruction. */
  readonly resetHalt: string;
  readonly sections: readonly Section[];
}

type Section = keyof typeof SCRIPT;

/** Sections of what gdb is told, each introduced by `@NAME`; answers are cut apart at the same words. */
const SCRIPT = {
  load: ['monitor RESET', 'load', 'compare-sections'],
  break: ['monitor RESET', 'break image_check', 'continue', 'backtrace', 'print/x (unsigned)header', 'list'],
  step: ['tbreak main', 'monitor RESET', 'continue', 'next', 'step', 'backtrace 1', 'stepi', 'info registers pc'],
  watch: ['delete', 'monitor RESET', 'watch milliseconds', 'continue', 'continue', 'print milliseconds'],
  exception: ['delete', 'break systick_handler', 'continue', 'backtrace'],
  finish: ['delete', 'monitor RESET', 'break tick_since', 'continue', 'finish', 'print milliseconds < 1000'],
  write: ['set var blinker.seconds = 41', 'print blinker.seconds', 'x/2xw 0x08000000'],
} as const;

const SECTIONS = Object.keys(SCRIPT) as Section[];

/** Debugs `elf` (the bootloader with DWARF) on an erased board. */
export async function gdbOnOpenocd(checks: Checks, elf: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'blindflash-clients-'));
  const probe = await startProbe(['--flash', join(folder, 'flash.bin')]);
  const port = await freePort();
  const options = ['-c', `gdb_port ${port}`, '-c', 'tcl_port disabled; telnet_port disabled'];
  const openocd = spawn('openocd', [...options, ...connection('dap', { port: probe.port })], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    await says(openocd.stderr, /Listening on port (\d+) for gdb connections/);
    checkSession(checks, { client: 'gdb on OpenOCD', port, resetHalt: 'reset halt', sections: SECTIONS }, elf);
  } finally {
    openocd.kill('SIGTERM');
    await probe.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same on st-util, which tells gdb of no watchpoint that it was one. */
export async function gdbOnStUtil({ checks, face, bridge }: UsbFixture, elf: string): Promise<void> {
  const port = await freePort();
  const server = spawn('st-util', ['-m', '-p', String(port)], { env: bridge.env, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    await says(server.stderr, /Listening at/);
    const sections = SECTIONS.filter((section) => section !== 'watch');
    checkSession(checks, { client: `gdb on st-util ${face}`, port, resetHalt: 'reset', sections }, elf);
  } finally {
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }
}

/** Runs the script; what gdb answered by section. */
function answers({ port, resetHalt, sections }: GdbServer, elf: string): Record<string, string> {
  const commands = ['set pagination off', 'set confirm off', 'set remotetimeout 30', `target extended-remote :${port}`];
  for (const name of sections) {
    commands.push(`echo @${name}\\n`, ...SCRIPT[name].map((line) => line.replace('RESET', resetHalt)));
  }
  const args = ['-q', '-nx', '-batch', ...commands.flatMap((command) => ['-ex', command]), elf];
  // The debug information names its sources relative to the example's folder.
  const cwd = new URL('../../../examples/bootloader', import.meta.url).pathname;
  const run = spawnSync('gdb-multiarch', args, { encoding: 'utf8', timeout: 120_000, killSignal: 'SIGKILL', cwd });
  if (process.env['VERBOSE'] === '1') process.stdout.write(`${run.stdout}${run.stderr}`.replace(/^/gm, '     | '));
  const parts = run.stdout.split(/^@(\w+)$/m);
  return Object.fromEntries(sections.map((name) => [name, parts[parts.indexOf(name) + 1] ?? '']));
}

/** Operation → patterns its answer must show. */
const EXPECTED: Readonly<Record<Section, readonly (readonly [string, RegExp])[]>> = {
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

function checkSession(checks: Checks, server: GdbServer, elf: string): void {
  const answered = answers(server, elf);
  for (const section of server.sections) {
    checks.at(server.client, section === 'load' ? 'load, compare-sections' : `source: ${section}`);
    const text = answered[section] ?? '';
    const patterns = EXPECTED[section];
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
    stream.on('end', () => reject(new Error(`the gdb server has ended:\n${text}`)));
  });
}
