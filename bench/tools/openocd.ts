// Stock OpenOCD on the bench's virtual board: `flash write_image erase` and `verify_image`, timed
// by the board's own clock.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { oldContents, randomImage } from '../job/images.ts';
import { startFlatServer, type FlatServer } from './flat-server.ts';

export interface ToolSpec {
  readonly kiB: number;
  readonly probe: IdentityName;
  readonly swdKHz: number;
  /** Fixed cost of a USB command, ms. */
  readonly commandMs: number;
  /** Round trip between tool and probe, charged to every command, ms. */
  readonly rttMs: number;
  /** The chip was empty; full of other data without. */
  readonly virgin?: boolean;
}

export interface ToolResult extends ToolSpec {
  readonly tool: string;
  /** Virtual ms. */
  readonly write: number;
  readonly verify: number;
  readonly commands: number;
  readonly good: boolean;
}

const FLASH = '0x08000000';
/** Long enough for a line of output to be read before the next command; at most 20 ms of it are charged. */
const REST_MS = 60;

/** What this machine lacks for it, in words; undefined when nothing. */
export function openocdLacks(): string | undefined {
  return spawnSync('openocd', ['--version'], { stdio: 'ignore' }).error === undefined ? undefined : 'missing openocd';
}

/** Runs OpenOCD once. @throws Error when it fails */
export async function measureOpenocd(spec: ToolSpec): Promise<ToolResult> {
  const folder = mkdtempSync(join(tmpdir(), 'openocd-bench-'));
  const file = join(folder, 'image.bin');
  const image = randomImage(spec.kiB, 101).segments[0]!.bytes;
  writeFileSync(file, image);
  const { probe, commandMs, rttMs } = spec;
  const server = await startFlatServer({
    probe,
    commandMs: commandMs + rttMs,
    flash: oldContents(spec.virgin !== true),
  });
  try {
    const marks = await run(server, [
      'init',
      'reset init',
      `adapter speed ${spec.swdKHz}`,
      ...mark('ready'),
      `flash write_image erase ${file} ${FLASH}`,
      ...mark('written'),
      `verify_image ${file} ${FLASH}`,
      ...mark('verified'),
      'shutdown',
    ]);
    const [ready, written, verified] = ['ready', 'written', 'verified'].map((name) => marks.get(name) ?? Number.NaN);
    const flash = server.probe.board.soc.memories.flash.bytes.subarray(0, image.length);
    return {
      ...spec,
      tool: 'OpenOCD',
      write: written! - ready!,
      verify: verified! - written!,
      commands: server.probe.commands,
      good: Buffer.compare(flash, image) === 0,
    };
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function mark(name: string): string[] {
  return [`echo "@${name}"`, `sleep ${REST_MS}`];
}

/** Virtual time at which each mark was printed. */
function run(server: FlatServer, commands: readonly string[]): Promise<Map<string, number>> {
  const args = [
    ...['-c', 'gdb_port disabled; tcl_port disabled; telnet_port disabled'],
    ...['-f', 'interface/stlink.cfg', '-c', `hla_stlink_backend tcp ${server.port}`, '-f', 'target/stm32f4x.cfg'],
    ...commands.flatMap((command) => ['-c', command]),
  ];
  return new Promise((resolve, reject) => {
    const marks = new Map<string, number>();
    const said: string[] = [];
    const child = spawn('openocd', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const listen = (line: string): void => {
      said.push(line);
      const name = /^@(\w+)$/.exec(line)?.[1];
      if (name !== undefined) marks.set(name, server.probe.nowMs);
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', listen);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(marks);
      else reject(new Error(`openocd ended with ${code}:\n${said.join('\n')}`));
    });
  });
}
