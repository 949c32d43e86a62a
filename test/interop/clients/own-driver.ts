// Our own driver on real npm `usb`, in a process that runs under the bridge. Prints one JSON object per line.
//   own-driver.ts identify | hotplug
import { findProbe, listProbes } from '../../../agent/probe/drivers.ts';
import type { ProbeEnvironment } from '../../../agent/probe/probe-driver.ts';
import type { Probe } from '../../../agent/probe/probe.ts';
import { silentLog } from '../../../shared/ports.ts';
import type { Clock } from '../../../shared/ports.ts';

const SRAM = 0x20000000;
const IDCODE = 0xe0042000;
const BLOCK = 60_000;
const MOST_TRIES = 100;

const clock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
const environment: ProbeEnvironment = { clock, log: silentLog };

function say(fields: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

function pattern(): Uint8Array {
  return Uint8Array.from({ length: BLOCK }, (_, i) => (i * 197) >> 3);
}

async function attached(): Promise<Probe> {
  const probe = await findProbe(undefined, environment);
  await probe.open();
  await probe.connect();
  return probe;
}

async function identify(): Promise<void> {
  const listed = await listProbes(undefined, environment);
  say({ listed: listed.map(({ kind, serial }) => ({ kind, serial })) });
  const probe = await attached();
  say({ ...probe.info, dpidr: await probe.readDpIdr(), idcode: await probe.readWord(IDCODE) });
  const bytes = pattern();
  await probe.writeMemory(SRAM + 1, bytes);
  const same = Buffer.from(await probe.readMemory(SRAM + 1, bytes.length)).equals(Buffer.from(bytes));
  say({ same, volts: await probe.readVoltage(), speed: await probe.setSpeed(4000) });
  await probe.close();
}

/** Writes until the cable is pulled, tells with what error that ended, then waits for the cable and works again. */
async function hotplug(): Promise<void> {
  const probe = await attached();
  await probe.writeWord(SRAM, 0xcafe0001);
  say({ writing: true });
  const bytes = pattern();
  let code: unknown;
  while (code === undefined) {
    await probe.writeMemory(SRAM + 4, bytes).catch((error: { code?: unknown }) => {
      code = error.code ?? 'no code';
    });
  }
  await probe.close();
  const gone = await attached().then(
    () => 'found',
    (error: { code?: unknown }) => error.code,
  );
  say({ code, gone });
  const again = await whenBack();
  say({ idcode: await again.readWord(IDCODE), kept: await again.readWord(SRAM) });
  await again.close();
}

async function whenBack(): Promise<Probe> {
  for (let tries = 0; ; tries++) {
    try {
      return await attached();
    } catch (error) {
      if (tries >= MOST_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

await (process.argv[2] === 'hotplug' ? hotplug() : identify());
// An open USB system keeps the process alive; all is said.
process.exit(0);
