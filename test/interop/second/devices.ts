// Devices with a loader between our product and the second implementation: over the virtual board's serial port with
// the real loader on it, and over a pseudo-terminal behind which the second implementation is the loader.
import { readFileSync, writeFileSync } from 'node:fs';
import type { JsonProcess } from '../../../cli/demo/processes.ts';
import { event, type Programs } from './programs-fixture.ts';

const PRODUCT = 7;
const IMAGE_AT = 0x10000;
const EMULATED_UID = '0102030405060708090a0b0c';

/** An image behind a loader that spins at its first instruction. */
function image(seed: number): Uint8Array {
  const bytes = new Uint8Array(5000).map((_, at) => (at * seed + (at >> 8) * 31) & 255);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x20020000, true);
  view.setUint32(4, 0x08010201, true);
  view.setUint16(0x200, 0xe7fe, true);
  return bytes;
}

const ENROL = ['enroll', '--place', 'bench', '--product', String(PRODUCT)];

interface Ends {
  readonly vendor: JsonProcess;
  readonly agent: JsonProcess;
}
/** What our registry tells of a device. */
interface Known {
  readonly uid: string;
  readonly keys: { readonly sessionKey: string; readonly fileKey: string };
}
type StartAgent = (invite: string, customer: string) => Promise<{ readonly agent: JsonProcess; readonly code: string }>;

/** Between two power cycles, ms: a machine that is busy may miss the fifth of a second after one. */
const CYCLE_MS = 8000;

class DeviceScenes {
  readonly programs: Programs;
  readonly #relay: string;
  #jobs = 0;

  constructor(programs: Programs, relay: string) {
    this.programs = programs;
    this.#relay = relay;
  }

  /** Keys of our vendor at this home; gives what is public of them. */
  async keys(home: string): Promise<{ readonly sealed: string; readonly receipt: string }> {
    const made = this.programs.real('keygen', ['keygen', '--no-passphrase'], home);
    return (await made.hear(event('keys')))['public'] as { sealed: string; receipt: string };
  }

  /** Those of the second implementation's vendor. */
  async theirKeys(): Promise<{ readonly sealed: string; readonly receipt: string }> {
    const words = ['keys', '--state', this.programs.path('their-keys')];
    return (await this.programs.second('controller.py', words).hear(event('keys'))) as never;
  }

  /** Flash of a board with the real loader, which takes jobs of these vendors; gives the loader's hash. */
  async plant(file: string, ...sealed: readonly string[]): Promise<string> {
    const keys = sealed.flatMap((key) => ['--key', `sessions=${key}`]);
    const words = ['loader', 'make', '--product', String(PRODUCT), ...keys, '--listen', '200', '--baud', '230400'];
    const out = ['--digest', 'false', '--out', this.programs.path(file)];
    const made = this.programs.real('loader make', [...words, ...out], 'vendor-a');
    return String((await made.hear(event('loader')))['loaderHash']);
  }

  /** The second implementation as a loader that takes our vendor's jobs and claims a hash and a UID. */
  async emulated(name: string, vendor: string, hash: string, uid: string) {
    const files = ['--flash-out', this.programs.path(`flash-${name}`), '--state', this.programs.path(`keys-${name}`)];
    const claims = ['--product', String(PRODUCT), '--uid', uid, '--loader-hash', hash];
    const keys = ['--vendor-key', `sessions+keys=${vendor}`, '--vendor-key', `sessions=${'77'.repeat(32)}`];
    const loader = this.programs.second('loader.py', [...keys, ...claims, ...files]);
    return { loader, address: String((await loader.hear(event('serial')))['address']) };
  }

  /** A job of our controller; the agent is started by `start` with the invite, and tells the code. */
  async ours(words: readonly string[], home: string, start: StartAgent): Promise<Ends> {
    const [invite, customer] = this.#nextJob();
    const more = ['--relay', this.#relay, '--invite-out', invite, '--yes'];
    const vendor = this.programs.real('controller', [...words, ...more], home);
    await vendor.hear(event('invite'));
    const { agent, code } = await start(invite, customer);
    await vendor.hear(event('code'));
    vendor.type(code);
    return { vendor, agent };
  }

  /** The same of the second controller. */
  async theirs(words: readonly string[], hash: string, start: StartAgent): Promise<Ends> {
    const [invite, customer] = this.#nextJob();
    const folders = ['--state', `${invite}-job`, '--keys', this.programs.path('their-keys')];
    const more = ['--relay', this.#relay, '--invite-out', invite, '--allow-stub', hash];
    const vendor = this.programs.second('controller.py', [...words, ...folders, ...more]);
    await vendor.hear(event('invite'));
    const { agent, code } = await start(invite, customer);
    await vendor.hear(event('code-asked'));
    vendor.type(code);
    return { vendor, agent };
  }

  #nextJob(): [invite: string, customer: string] {
    this.#jobs++;
    return [this.programs.path(`device-invite-${this.#jobs}`), `device-customer-${this.#jobs}`];
  }

  /** @param cycle switches the board off and on: done until the agent has found the loader, which listens shortly */
  ourAgent(address: string, cycle: () => void = () => {}): StartAgent {
    return async (invite, customer) => {
      let repeat: NodeJS.Timeout | undefined;
      const onSay = (text: string): void => {
        if (!text.startsWith('Looking for the loader') || repeat !== undefined) return;
        cycle();
        repeat = setInterval(cycle, CYCLE_MS);
      };
      try {
        return await this.programs.realAgent(['--serial', address], invite, customer, onSay);
      } finally {
        clearInterval(repeat);
      }
    };
  }

  theirAgent(address: string): StartAgent {
    return async (invite) => {
      const agent = this.programs.second('agent.py', [invite, '--consent', 'yes', '--serial', address]);
      return { agent, code: String((await agent.hear(event('code')))['code']) };
    };
  }

  async bothEndWell(title: string, { vendor, agent }: Ends): Promise<void> {
    const ends = await Promise.all([vendor.ended(), agent.ended()]);
    this.programs.check(title, ends.join() === '0,0', `${vendor.lastWords} / ${agent.lastWords}`);
  }

  image(name: string, seed: number): { readonly path: string; readonly bytes: Uint8Array } {
    const bytes = image(seed);
    writeFileSync(this.programs.path(name), bytes);
    return { path: this.programs.path(name), bytes };
  }

  holds(title: string, file: string, bytes: Uint8Array): void {
    const flash = readFileSync(this.programs.path(file)).subarray(IMAGE_AT, IMAGE_AT + bytes.length);
    this.programs.check(title, Buffer.compare(flash, bytes) === 0);
  }
}

/** The real loader on the virtual board: enrolled by theirs and by ours, written to by ours and by theirs. */
async function realLoader(the: DeviceScenes, hash: string, enrolled: (file: string) => void): Promise<void> {
  const { programs } = the;
  const words = ['sim', '--tcp', '0', '--flash', programs.path('board.bin'), '--rdp', '1', '--serial', 'pty'];
  const board = programs.real('board', words, 'board');
  const address = String((await board.hear(event('serial')))['address']);
  const byTheirs = await the.theirs(ENROL, hash, the.ourAgent(address));
  await the.bothEndWell('their controller enrols a real loader over our agent’s serial line', byTheirs);
  const keys = await byTheirs.vendor.hear(event('enrolled'));
  const [file, theirs] = [programs.path('devices'), programs.path('their-keys')];
  const write = ['devices', '--state', theirs, '--keys', theirs, '--devices-out', file];
  await programs.second('controller.py', write).succeeded();
  enrolled(file);

  const byOurs = await the.ours(ENROL, 'vendor-a', the.theirAgent(address));
  await the.bothEndWell('our controller enrols it over their agent’s serial line', byOurs);
  const list = programs.real('devices', ['devices', 'list'], 'vendor-a');
  const known = (await list.hear(event('device'))) as unknown as Known;
  const ours = [known.uid, known.keys.sessionKey, known.keys.fileKey].join();
  programs.check('… and both have one record', ours === [keys['uid'], keys['sessionKey'], keys['fileKey']].join());

  const [five, six] = [the.image('five', 73), the.image('six', 57)];
  const flash = ['flash', five.path, '--base', '0x08010000', '--device', known.uid, '--release', '5'];
  const first = await the.ours(flash, 'vendor-a', the.theirAgent(address));
  await the.bothEndWell('our controller writes to it over their agent’s serial line', first);
  const next = ['flash', '--image', six.path, '--device', known.uid, '--release', '6'];
  const restart = (): void => board.type('power cycle');
  const second = await the.theirs(next, hash, the.ourAgent(address, restart));
  await the.bothEndWell('their controller writes the next version over our agent’s', second);
  board.stop();
  await board.ended();
  the.holds('… and the board holds it', 'board.bin', six.bytes);
}

/** The second implementation as the loader, our agent and our controller: what either mode lets it have. */
async function emulatedLoader(the: DeviceScenes, hash: string, enrolled: Promise<string>, theirs: string) {
  const { programs } = the;
  const { sealed } = await the.keys('vendor-b');
  const mine = await the.emulated('mine', sealed, hash, EMULATED_UID);
  const enrol = ['enroll', '--place', 'customer', '--product', String(PRODUCT)];
  const first = await the.ours(enrol, 'vendor-b', the.ourAgent(mine.address));
  await the.bothEndWell('on a customer’s desk an emulated loader is enrolled', first);
  const image = the.image('seven', 91);
  const flash = ['flash', image.path, '--base', '0x08010000', '--release', '7', '--device'];
  const written = await the.ours([...flash, EMULATED_UID], 'vendor-b', the.ourAgent(mine.address));
  await the.bothEndWell('… and gets the image in lock-then-load, as the words say', written);
  mine.loader.stop();
  await mine.loader.ended();
  the.holds('… which it has', 'flash-mine', image.bytes);

  const take = ['devices', 'import', await enrolled, '--key', theirs];
  const taken = programs.real('import', take, 'vendor-b');
  await taken.succeeded();
  const uids = programs.real('devices', ['devices', 'list'], 'vendor-b');
  await uids.succeeded();
  const seeded = uids.told.find((told) => told['mode'] === 'seeded');
  programs.check('our registry takes over their file of devices', seeded !== undefined, JSON.stringify(uids.told));
  const uid = String(seeded?.['uid']);
  const other = await the.emulated('other', sealed, hash, uid);
  const refused = await the.ours([...flash, uid], 'vendor-b', the.ourAgent(other.address));
  const status = await refused.vendor.ended();
  const why = refused.vendor.lastWords;
  programs.check(
    'in seeded it claims to be a device on record, and is refused',
    status !== 0 && /BF-DEVICES-OTHER-KEY/.test(why),
    why,
  );
  refused.agent.stop();
  programs.check('… and no session was opened for it', !other.loader.told.some(event('session')));
}

/** All of it; the two boards are at work at the same time. */
export async function devices(programs: Programs, relay: string): Promise<void> {
  const the = new DeviceScenes(programs, relay);
  const [ours, theirs] = await Promise.all([the.keys('vendor-a'), the.theirKeys()]);
  const hash = await the.plant('board.bin', ours.sealed, theirs.sealed);
  let tell: (file: string) => void = () => {};
  const enrolled = new Promise<string>((resolve) => (tell = resolve));
  const failed = (error: unknown): void => {
    programs.check('a device', false, String(error));
    tell('');
  };
  await Promise.all([
    realLoader(the, hash, tell).catch(failed),
    emulatedLoader(the, hash, enrolled, theirs.receipt).catch(failed),
  ]);
}
