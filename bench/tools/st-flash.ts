// Stock st-flash on the bench's virtual board, through libusb: the bridge of test/interop/clients shows it the probe.
// `write` erases, writes and verifies; the flash controller's journal says when it did what, on the board's own clock.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FlashJournalEntry } from '../../sim/peripherals/flash-operation.ts';
import { startBridge } from '../../test/interop/clients/usb-bridge.ts';
import { oldContents, randomImage } from '../job/images.ts';
import { startFlatSocket, type FlatProbe } from './flat-server.ts';
import type { ToolResult, ToolSpec } from './openocd.ts';

const SOURCES = fileURLToPath(new URL('../../test/interop/clients/bridge/', import.meta.url));
const FLASH = '0x08000000';

/** What this machine lacks for it, in words; undefined when nothing. */
export function stFlashLacks(): string | undefined {
  const missing = ['st-flash', 'umockdev-wrapper', 'gcc', 'pkg-config'].filter(
    (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined,
  );
  if (missing.length > 0) return `missing ${missing.join(', ')}`;
  const headers = spawnSync('pkg-config', ['--exists', 'umockdev-1.0']).status === 0;
  return headers ? undefined : 'missing the development files of umockdev';
}

/** Runs `st-flash write` once. @throws Error when it fails */
export async function measureStFlash(spec: ToolSpec): Promise<ToolResult> {
  const folder = mkdtempSync(join(tmpdir(), 'st-flash-bench-'));
  const path = (name: string): string => join(folder, name);
  const image = randomImage(spec.kiB, 101).segments[0]!.bytes;
  writeFileSync(path('image.bin'), image);
  const { probe: face, commandMs, rttMs } = spec;
  // It never opens an access port and never asks why its reads fail (docs/reference/stlink.md §3.3).
  const options = {
    probe: face,
    commandMs: commandMs + rttMs,
    flash: oldContents(spec.virgin !== true),
    enterOpensAp: true,
  };
  const { probe, close } = await startFlatSocket(options, path('usb'));
  const times = watch(probe);
  try {
    const bridge = await startBridge(buildBridge(path('bridge')), path('usb'));
    try {
      await run(['--freq', String(spec.swdKHz), 'write', path('image.bin'), FLASH], bridge.env);
    } finally {
      await bridge.stop();
    }
    if (probe.swdKHz !== spec.swdKHz) throw new Error(`st-flash used ${probe.swdKHz} kHz`);
    const flash = probe.board.soc.memories.flash.bytes.subarray(0, image.length);
    return {
      ...spec,
      tool: 'st-flash',
      write: times.lastWord - times.firstErase,
      verify: probe.nowMs - times.lastWord,
      commands: probe.commands,
      good: Buffer.compare(flash, image) === 0,
    };
  } finally {
    await close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function buildBridge(program: string): string {
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'umockdev-1.0'], { encoding: 'utf8' });
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.c'));
  const args = ['-std=gnu11', '-O1', ...sources.map((name) => join(SOURCES, name)), ...flags.trim().split(/\s+/)];
  execFileSync('gcc', [...args, '-o', program], { stdio: ['ignore', 'ignore', 'inherit'] });
  return program;
}

/** First erase and last word, virtual ms. */
function watch({ board }: FlatProbe): { readonly firstErase: number; readonly lastWord: number } {
  const times = { firstErase: Number.NaN, lastWord: Number.NaN };
  board.soc.flash.onOperation = ({ kind, phase, atNs }: FlashJournalEntry) => {
    if (kind === 'erase' && phase === 'start' && Number.isNaN(times.firstErase)) times.firstErase = atNs / 1e6;
    if (kind === 'program' && phase !== 'start') times.lastWord = atNs / 1e6;
  };
  return times;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const child = spawn('st-flash', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => said.push(text.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0 && said.join('').includes('written and verified')) resolve();
      else reject(new Error(`st-flash ended with ${String(code)}:\n${said.join('')}`));
    });
  });
}
