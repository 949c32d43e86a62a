// Programs that reach the probe through libusb, unmodified: st-info, st-flash, st-util with gdb, pyOCD, OpenOCD's USB
// path, and our own driver.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import type { Checks } from '../openocd/checks.ts';
import * as operations from '../openocd/operations.ts';
import { IDENTITIES } from '../../../sim/stlink/identity.ts';
import type { IdentityName } from '../../../sim/stlink/identity.ts';
import { gdbOnStUtil } from './gdb.ts';
import { pyocd, pyocdLists } from './pyocd.ts';
import { run, TIMEOUT_MS, withUsb } from './usb-fixture.ts';
import type { UsbFixture } from './usb-fixture.ts';

const BANKS = [
  { name: 'bank 1', base: 0x08000000, size: 40_000 },
  { name: 'bank 2', base: 0x08100000, size: 150_004 },
] as const;

/** All USB clients on every face of the probe, as far as each knows it. */
export async function usbClients(checks: Checks, bridgeProgram: string, elf: string): Promise<void> {
  for (const face of Object.keys(IDENTITIES) as IdentityName[]) {
    await withUsb(checks, bridgeProgram, face, async (fixture) => {
      stInfo(fixture);
      pyocdLists(fixture);
      if (face !== 'v3') await openocdUsb(fixture);
      if (face !== 'v2-1') stFlash(fixture);
      ownDriver(fixture);
      await hotplug(fixture);
    });
  }
  // A board of their own: they leave programs running.
  await withUsb(checks, bridgeProgram, 'v2-1', async (fixture) => {
    pyocd(fixture);
    await gdbOnStUtil(fixture, elf);
  });
}

function stInfo(fixture: UsbFixture): void {
  const { checks, face } = fixture;
  const { firmware, serial } = IDENTITIES[face];
  checks.at(`st-info ${face}`, '--probe, --serial, --chipid');
  const probe = run(fixture, 'st-info', ['--probe']).text;
  checks.check('finds one', /Found 1 stlink programmers/.test(probe));
  const [version] = /version: +(\S+)/.exec(probe)?.slice(1) ?? [];
  // How it prints the other numbers is its own affair.
  const jtag = firmware.replace(/[MS]\d+$/, '');
  checks.check('version', version?.startsWith(jtag) === true, `${String(version)}, expected ${firmware}`);
  checks.check('flash and sram', /flash: +2097152 [^]*sram: +262144/.test(probe));
  checks.check('family', /chipid: +0x0?419[^]*F42x/.test(probe));
  checks.check('serial', run(fixture, 'st-info', ['--serial']).text.trim() === serial, serial);
  checks.check('chip id', Number(run(fixture, 'st-info', ['--chipid']).text) === 0x419);
  const reset = run(fixture, 'st-info', ['--probe', '--connect-under-reset']).text;
  checks.check('under reset', /chipid: +0x0?419/.test(reset));
}

function stFlash(fixture: UsbFixture): void {
  const { checks, face, path } = fixture;
  const at = (operation: string): void => checks.at(`st-flash ${face}`, operation);
  for (const { name, base, size } of BANKS) {
    const image = randomFillSync(new Uint8Array(size));
    const address = `0x${base.toString(16)}`;
    writeFileSync(path(`${name}.bin`), image);
    at(`write, verify, read ${name}`);
    const write = run(fixture, 'st-flash', [
      ...(base > 0x08000000 ? ['--reset'] : []),
      'write',
      path(`${name}.bin`),
      address,
    ]);
    checks.check('write and verify', write.ok && /written and verified/.test(write.text));
    checks.check('read', run(fixture, 'st-flash', ['read', path('back.bin'), address, String(size)]).ok);
    checks.check('byte for byte', Buffer.from(image).equals(readFileSync(path('back.bin'))));
  }
  at('mass_erase');
  checks.check('erase', run(fixture, 'st-flash', ['erase']).ok);
  checks.check('bank 1 is erased', isErased(fixture, 0x08000000, 40_000));
  checks.check('bank 2 is not: this client knows no MER1', !isErased(fixture, 0x08104000, 256));
  at('reset');
  checks.check('reset', run(fixture, 'st-flash', ['reset']).ok);
}

function isErased(fixture: UsbFixture, address: number, size: number): boolean {
  const file = fixture.path('erased.bin');
  run(fixture, 'st-flash', ['read', file, `0x${address.toString(16)}`, String(size)]);
  return readFileSync(file).every((byte) => byte === 0xff);
}

/** The same operations as over TCP, on OpenOCD's own USB code. */
async function openocdUsb(fixture: UsbFixture): Promise<void> {
  const { checks, face, path } = fixture;
  const transport = face === 'v2' ? 'dap' : 'hla';
  const link = { env: fixture.bridge.env };
  const powerCycle = (): Promise<void> => fixture.probe.control('power cycle');
  const client = { checks, client: `OpenOCD ${transport} usb`, transport, link, path, powerCycle } as const;
  // It reads no registers of a core it finds halted, and st-info leaves it so after a reset.
  await powerCycle();
  operations.identity(client);
  operations.writeAndVerify(client, 0x08000000, 20_000);
  operations.writeAndVerify(client, 0x08100000, 30_001);
}

function driverProcess(work: 'identify' | 'hotplug'): string[] {
  return ['--import=tsx', new URL('own-driver.ts', import.meta.url).pathname, work];
}

function ownDriver(fixture: UsbFixture): void {
  const { checks, face } = fixture;
  const { firmware, serial } = IDENTITIES[face];
  checks.at(`blindflash ${face}`, 'list, open, identify, memory');
  const { text } = run(fixture, process.execPath, driverProcess('identify'));
  const said = saidBy(text);
  checks.check('listed once', JSON.stringify(said['listed'])?.split(serial).length === 2, String(said['kind']));
  checks.check('firmware', said['firmware'] === firmware, firmware);
  checks.equal('dpidr', Number(said['dpidr']), 0x2ba01477);
  checks.equal('idcode', Number(said['idcode']), 0x20036419);
  checks.check('60 000 bytes written and read', said['same'] === true);
  checks.check('supply', Math.abs(Number(said['volts']) - 3.3) < 0.01, `${String(said['volts'])} V`);
}

/** All objects a driver process has printed, as one. */
function saidBy(text: string): Record<string, unknown> {
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  return Object.assign({}, ...lines.map((line) => JSON.parse(line) as object)) as Record<string, unknown>;
}

/** The cable is pulled in the middle of a write and put back; the board has a supply of its own. */
async function hotplug(fixture: UsbFixture): Promise<void> {
  const { checks, face, bridge } = fixture;
  checks.at(`blindflash ${face}`, 'unplug, plug');
  const child = spawn(process.execPath, driverProcess('hotplug'), {
    env: bridge.env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: TIMEOUT_MS,
  });
  let said: Record<string, unknown> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    said = { ...said, ...saidBy(line) };
    if (line.includes('writing')) await bridge.unplug();
    if (line.includes('code"') && line.includes('gone')) await bridge.plug();
  }
  checks.check('the write ends with a coded error', said['code'] === 'BF-PROBE-UNPLUGGED', String(said['code']));
  checks.check('no probe is found meanwhile', said['gone'] === 'BF-PROBE-NONE', String(said['gone']));
  checks.equal('works again', Number(said['idcode']), 0x20036419);
  checks.equal('the board kept its memory', Number(said['kept']), 0xcafe0001);
}
