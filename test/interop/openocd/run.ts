// Stock OpenOCD against the virtual probe over its TCP backend, DAP and HLA mode; identities of the other probes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Checks } from './checks.ts';
import * as operations from './operations.ts';
import type { Fixture } from './operations.ts';
import type { Transport } from './session.ts';
import { startProbe } from './virtual-probe.ts';

/** Everything OpenOCD does over TCP on a board of its own. */
export async function openocdOverTcp(checks: Checks, transport: Transport): Promise<void> {
  await withFixture(checks, transport, `OpenOCD ${transport}`, [], async (fixture) => {
    operations.identity(fixture);
    if (transport === 'dap') operations.debugPort(fixture);
    operations.runControl(fixture);
    operations.watchpoint(fixture);
    operations.memory(fixture);
    operations.eraseSectors(fixture);
    operations.writeAndVerify(fixture, 0x08000000, 64 * 1024);
    operations.writeAndVerify(fixture, 0x08100000, 40_000);
    operations.massErase(fixture);
    await operations.readProtection(fixture);
  });
}

/** The other probes, as OpenOCD sees them. */
export async function openocdIdentities(checks: Checks): Promise<void> {
  const faces = [
    { stlink: 'v3', transport: 'dap' },
    { stlink: 'v2-1', transport: 'hla' },
  ] as const;
  for (const { stlink, transport } of faces) {
    await withFixture(checks, transport, `OpenOCD ${transport}`, ['--stlink', stlink], operations.identity);
  }
}

async function withFixture(
  checks: Checks,
  transport: Transport,
  client: string,
  args: readonly string[],
  work: (fixture: Fixture) => void | Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'openocd-check-'));
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('flash.bin'), operations.counterProgram());
  const probe = await startProbe(['--flash', path('flash.bin'), ...args]);
  const link = { port: probe.port };
  try {
    await work({ checks, client, transport, link, path, powerCycle: () => probe.control('power cycle') });
  } finally {
    const code = await probe.stop();
    checks.at(client, 'many sessions');
    checks.check('the virtual probe ends cleanly', code === 0);
    rmSync(folder, { recursive: true, force: true });
  }
}
