// A whole job by the real command line over a real USB stack: `blindflash agent` reaches the virtual probe through npm
// `usb` and libusb, as V2, V2-1 and V3; once more with the cable pulled in the middle and put back.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoProcess, type Told } from '../../../cli/demo/processes.ts';
import { readImage } from '../../../controller/image/image.ts';
import { IDENTITIES } from '../../../sim/stlink/identity.ts';
import type { IdentityName } from '../../../sim/stlink/identity.ts';
import type { Checks } from '../openocd/checks.ts';
import { startProbe, type VirtualProbe } from '../openocd/virtual-probe.ts';
import { startBridge, type UsbBridge } from './usb-bridge.ts';

const IMAGE = new URL('../../../examples/bootloader/prebuilt/combined.elf', import.meta.url).pathname;
const FLASH_BASE = 0x08000000;
const TIMEOUT_MS = 90_000;
const event = (name: string) => (told: Told) => told['event'] === name;

interface Fixture {
  readonly folder: string;
  readonly probe: VirtualProbe;
  readonly bridge: UsbBridge;
  start(name: string, words: readonly string[], home: string, env?: NodeJS.ProcessEnv): DemoProcess;
}

/** Runs a job on every face, then one with the cable pulled. */
export async function wholeJobs(checks: Checks, bridgeProgram: string): Promise<void> {
  for (const face of Object.keys(IDENTITIES) as IdentityName[]) {
    await withFixture(bridgeProgram, face, (fixture) => plainJob(checks, face, fixture));
  }
  await withFixture(bridgeProgram, 'v2-1', (fixture) => unpluggedJob(checks, fixture, 'self-powered'));
  await withFixture(bridgeProgram, 'v2-1', (fixture) => unpluggedJob(checks, fixture, 'probe-powered'));
}

async function withFixture(
  program: string,
  face: IdentityName,
  work: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'blindflash-job-'));
  const flash = join(folder, 'flash.bin');
  const probe = await startProbe(['--stlink', face, '--usb-socket', join(folder, 'usb'), '--flash', flash, '--uart']);
  const bridge = await startBridge(program, join(folder, 'usb'));
  const actors: DemoProcess[] = [];
  const start: Fixture['start'] = (name, words, home, env = {}) => {
    const actor = new DemoProcess(name, words, {
      ...(env as Record<string, string>),
      BLINDFLASH_HOME: join(folder, home),
    });
    actors.push(actor);
    return actor;
  };
  try {
    await withTimeout(work({ folder, probe, bridge, start }));
  } finally {
    for (const actor of actors) actor.stop();
    await Promise.all(actors.map((actor) => actor.ended()));
    await bridge.stop();
    await probe.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The customer agrees to whatever sheet is shown. */
function typesWord(agent: DemoProcess): void {
  agent.onTold = (told) => {
    if (told['event'] === 'sheet') agent.type(String(told['word']));
  };
}

/** Relay, keys, vendor and customer, until the customer has a sheet to agree to. */
async function begin({ folder, bridge, start }: Fixture, image: string, options: readonly string[]) {
  const relay = start('relay', ['relay', '--open', '--listen', '127.0.0.1:0'], 'relay');
  const url = String((await relay.hear(event('listening')))['url']);
  await start('keygen', ['keygen', '--no-passphrase'], 'vendor').succeeded();
  const invite = join(folder, 'invite');
  const words = ['flash', image, '--relay', url, '--invite-out', invite, '--yes', '--no-code', ...options];
  const vendor = start('controller', words, 'vendor');
  await vendor.hear(event('invite'));
  const agent = start('agent', ['agent', '--invite-file', invite], 'customer', bridge.env);
  typesWord(agent);
  return { vendor, agent };
}

async function plainJob(checks: Checks, face: IdentityName, fixture: Fixture): Promise<void> {
  const { vendor, agent } = await begin(fixture, IMAGE, []);
  const statuses = await Promise.all([vendor.ended(), agent.ended()]);
  report(
    checks,
    `agent over usb, ${face}`,
    'whole job',
    statuses.every((status) => status === 0),
    statuses.join(' '),
  );
  await fixture.probe.control('power cycle');
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const greeted = fixture.probe.uart.some((line) => line.includes('example application'));
  report(checks, `agent over usb, ${face}`, 'image boots', greeted, fixture.probe.uart.slice(0, 2).join(' | '));
  const flash = readFileSync(join(fixture.folder, 'flash.bin'));
  const { segments } = readImage(new Uint8Array(readFileSync(IMAGE)), { name: IMAGE });
  const same = segments.every(({ address, bytes }) =>
    flash
      .subarray(address - FLASH_BASE)
      .subarray(0, bytes.length)
      .equals(bytes),
  );
  report(checks, `agent over usb, ${face}`, 'flash equal', same, `${segments.length} segments`);
}

/**
 * The cable is pulled while the board is being written (a probe-powered one goes dark); plugged again, the job is
 * resumed to its good end.
 */
async function unpluggedJob(checks: Checks, fixture: Fixture, board: 'self-powered' | 'probe-powered'): Promise<void> {
  const image = join(fixture.folder, 'image.bin');
  const bytes = Uint8Array.from({ length: 800_000 }, (_, i) => (i * 2654435761) >>> 13);
  new DataView(bytes.buffer).setUint32(0, 0x20020000, true);
  new DataView(bytes.buffer).setUint32(4, 0x08000201, true);
  writeFileSync(image, bytes);
  const { vendor, agent } = await begin(fixture, image, ['--base', '0x08000000']);
  await vendor.hear((told) => told['event'] === 'sector' && told['sector'] === 2);
  await fixture.bridge.unplug();
  if (board === 'probe-powered') await fixture.probe.control('power off');
  const pulled = await agent.ended();
  report(checks, `agent over usb, ${board}`, 'says so', pulled === 10, `status ${pulled}`);
  const stopped = await vendor.hear(event('stopped'));
  const vendorStatus = await vendor.ended();
  report(checks, `agent over usb, ${board}`, 'the vendor is told', vendorStatus === 10, `status ${vendorStatus}`);
  if (board === 'probe-powered') await fixture.probe.control('power on');
  await fixture.bridge.plug();
  const resume = ['flash', image, '--base', '0x08000000', '--resume', String(stopped['job']), '--no-code'];
  const vendorAgain = fixture.start('controller again', resume, 'vendor');
  const agentAgain = fixture.start('agent again', ['agent'], 'customer', fixture.bridge.env);
  typesWord(agentAgain);
  agentAgain.type('yes'); // to “A job was interrupted. Go on with it?”
  const statuses = await Promise.all([vendorAgain.ended(), agentAgain.ended()]);
  const skipped = vendorAgain.told.some((told) => told['event'] === 'sector' && told['skipped'] === true);
  const words = `${statuses.join(' ')}, a good sector was ${skipped ? '' : 'not '}skipped`;
  report(
    checks,
    `agent over usb, ${board}`,
    'resumed',
    statuses.every((status) => status === 0),
    words,
  );
}

/** One check, in its place of the table. */
function report(checks: Checks, client: string, operation: string, holds: boolean, detail: string): void {
  checks.at(client, operation);
  checks.check(operation, holds, detail);
}

async function withTimeout(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the whole job took too long')), TIMEOUT_MS);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
