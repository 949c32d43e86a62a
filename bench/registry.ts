// `npm run bench:registry`: what the vendor's registry takes with 10,000 devices in a real ledger (docs/devices.md).
//   --devices N
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '../controller/registry/entry.ts';
import { signEntry } from '../controller/registry/entry.ts';
import { DeviceRegistry } from '../controller/registry/registry.ts';
import { homeFolder } from '../controller/store/home.ts';
import { Ledger } from '../controller/store/ledger.ts';
import { LedgerDeviceStore } from '../controller/store/ledger-devices.ts';
import { toHex } from '../shared/codec/bytes.ts';
import { silentLog } from '../shared/ports.ts';
import { verifyEd25519 } from '../shared/platform/node/verify-signature.ts';
import { systemClock } from '../shared/platform/system-clock.ts';
import { deviceNumber, VENDOR } from '../test/fixtures/registry.ts';

const flag = process.argv.indexOf('--devices');
const DEVICES = flag < 0 ? 10_000 : Number(process.argv[flag + 1]);
const folder = mkdtempSync(join(tmpdir(), 'blindflash-registry-'));

function registryIn(name: string): { readonly registry: DeviceRegistry; readonly ledger: Ledger } {
  const ledger = new Ledger({ home: homeFolder(join(folder, name)), log: silentLog });
  const registry = new DeviceRegistry({
    store: new LedgerDeviceStore(ledger),
    clock: systemClock,
    verify: verifyEd25519,
    vendorKey: async () => VENDOR.publicKey,
    signer: async () => VENDOR,
  });
  return { registry, ledger };
}

/** Processor time, which other programs of the computer do not lengthen. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(from);
  process.stdout.write(`${what.padEnd(52)} ${((user + system) / 1000).toFixed(1).padStart(9)} ms\n`);
  return result;
}

const common = { version: 'blindflash device 2', at: '2026-09-21T14:13:20Z', by: 'bench' } as const;
const entries: Entry[] = Array.from({ length: DEVICES }, (_, n) => ({
  ...common,
  kind: 'enrolled',
  number: 1,
  ...deviceNumber(n),
  repeats: null,
  vendorKey: toHex(VENDOR.publicKey),
}));
try {
  const here = registryIn('here');
  const signed = await timed(`sign ${DEVICES} entries`, async () => entries.map((entry) => signEntry(entry, VENDOR)));
  await timed('keep them, one transaction', () => new LedgerDeviceStore(here.ledger).add(signed));
  await here.ledger.close();
  const size = statSync(homeFolder(join(folder, 'here')).ledger).size;
  process.stdout.write(`ledger${' '.repeat(47)} ${(size / 1e6).toFixed(1).padStart(9)} MB\n`);
  await timed('open the ledger, with its integrity check', async () => void (await here.ledger.database()));
  await timed('one device by UID', () => here.registry.device(deviceNumber(DEVICES >> 1).uid));
  await timed('16 devices by the first 23 digits', () => here.registry.devices({ uid: '0'.repeat(20) + '001' }));
  await timed('list all, every signature checked', () => here.registry.devices());
  await timed('enrol one more', () => here.registry.enrol(deviceNumber(DEVICES), 'bench'));
  const { text } = await timed('export all', () => here.registry.exportFile());
  const there = registryIn('there');
  await timed(`import all (${(text.length / 1e6).toFixed(1)} MB)`, () => there.registry.importFile(text, 'bench'));
  await timed('import all again', () => there.registry.importFile(text, 'bench'));
  for (const { ledger } of [here, there]) await ledger.close();
} finally {
  rmSync(folder, { recursive: true });
}
