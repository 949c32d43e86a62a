// `npm run test:interop`: programs nobody here wrote, unmodified, on the virtual board (docs/simulation.md, "Native
// checks"). Arguments: the built USB bridge, the example bootloader with DWARF; then, optionally, parts to run.
import { Checks } from '../openocd/checks.ts';
import { openocdIdentities, openocdOverTcp } from '../openocd/run.ts';
import { openocdOnOtherParts } from '../parts/run.ts';
import { gdbOnOpenocd } from './gdb.ts';
import { CORES, counted, NOISE } from './native-checks.ts';
import { serialPortOnPty } from './serial-port.ts';
import { usbClients } from './usb-clients.ts';
import { wholeJobs } from './whole-job.ts';

const [bridge = '', elf = '', ...wanted] = process.argv.slice(2);
const checks = new Checks();

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  'openocd-dap': () => openocdOverTcp(checks, 'dap'),
  'openocd-hla': () => openocdOverTcp(checks, 'hla'),
  'openocd-faces': () => openocdIdentities(checks),
  'openocd-parts': () => openocdOnOtherParts(checks),
  gdb: () => gdbOnOpenocd(checks, elf),
  usb: () => usbClients(checks, bridge, elf),
  job: () => wholeJobs(checks, bridge),
  serial: () => serialPortOnPty(checks),
  cores: () => counted(checks, CORES),
  noise: () => counted(checks, NOISE),
};

for (const [name, part] of Object.entries(PARTS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const began = performance.now();
  await part();
  process.stdout.write(`     ${name}: ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
}
checks.table();
checks.summary();
