// A virtual board on this computer's USB, and programs run where they see it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Checks } from '../openocd/checks.ts';
import { counterProgram } from '../openocd/operations.ts';
import { startProbe } from '../openocd/virtual-probe.ts';
import type { VirtualProbe } from '../openocd/virtual-probe.ts';
import type { IdentityName } from '../../../sim/stlink/identity.ts';
import { startBridge } from './usb-bridge.ts';
import type { UsbBridge } from './usb-bridge.ts';

/** Longest run of a program, milliseconds. */
export const TIMEOUT_MS = 60_000;

/** What a program on USB works on, and where its checks go. */
export interface UsbFixture {
  readonly checks: Checks;
  readonly face: IdentityName;
  readonly probe: VirtualProbe;
  readonly bridge: UsbBridge;
  path(name: string): string;
}

/** A board with a program in flash that counts, on USB as `face` while `work` lasts. */
export async function withUsb(
  checks: Checks,
  bridgeProgram: string,
  face: IdentityName,
  work: (fixture: UsbFixture) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'blindflash-clients-'));
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('flash.bin'), counterProgram());
  const args = ['--stlink', face, '--flash', path('flash.bin'), '--usb-socket', path('usb')];
  const probe = await startProbe(args);
  const bridge = await startBridge(bridgeProgram, path('usb'));
  try {
    await work({ checks, face, probe, bridge, path });
  } finally {
    await bridge.stop();
    await probe.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a program that sees the probe, `input` on its standard input; everything it printed. */
export function run(
  fixture: UsbFixture,
  program: string,
  args: readonly string[],
  input = '',
): { readonly text: string; readonly ok: boolean } {
  const result = spawnSync(program, args, { encoding: 'utf8', env: fixture.bridge.env, timeout: TIMEOUT_MS, input });
  const text = `${result.stdout}${result.stderr}`;
  if (result.status !== 0) process.stdout.write(text.replace(/^/gm, '     | '));
  return { text, ok: result.status === 0 };
}
