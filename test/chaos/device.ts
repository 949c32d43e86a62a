// A chaos run's product around a device with a loader: the board is planted and locked, its keys are on record or are
// to be, and the agent reaches it over a serial line that is watched, and that loses and damages what it carries.
import type { OpenSerialPort, SerialPortSource } from '../../agent/transport/serial/port.ts';
import type { Image } from '../../controller/image/image.ts';
import { LOADER_MAP, type LoaderConfig } from '../../controller/loader/config.ts';
import { compileEnroll, compileFlash, compileKeys } from '../../controller/plan/compile.ts';
import type { Enrolment } from '../../controller/registry/entry.ts';
import type { Enrolled } from '../../controller/registry/registry.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { concat, toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { PLACES, type Place } from '../../shared/registry/states.ts';
import type { SerialPeer } from '../../sim/serial/serial-peer.ts';
import { VirtualSerialPort } from '../../sim/serial/virtual-serial-port.ts';
import { LOADER_HASH, UID } from '../fixtures/devices.ts';
import { ProductFixture, type AgentPart, type ControllerPart } from '../fixtures/product.ts';
import {
  BANKS,
  complete,
  CONFIG,
  FACTS,
  FLASH,
  IMAGE,
  inInstaller,
  LOCKED,
  planted,
  plantedFlash,
  record,
  runMs,
  vendorKeys,
} from '../integration/loader/loader-fixture.ts';
import { fileFor, stranger } from '../integration/loader/update-line.ts';
import type { AgentOutcome } from '../../agent/session/ports.ts';
import { runUpdate } from '../../agent/session/update-session.ts';
import { updateFile, type UpdateFile } from '../../agent/update/update-file.ts';
import type { RoomRecord } from '../../controller/store/job-record.ts';
import { silentLog } from '../../shared/ports.ts';
import { updateContent } from '../fixtures/update-files.ts';
import { joined } from '../fixtures/update-parts.ts';
import { Dice } from './dice.ts';
import { LineWatch } from './line-watch.ts';
import type { VirtualProcess } from './process.ts';
import { ChaosProduct, type ChaosOptions } from './product.ts';

/** Above that of the old image. */
const NEW_VERSION = FACTS.version + 1;
const MAKES_KEYS_MS = 60;
const RELEASE = { product: CONFIG.product, version: NEW_VERSION, floor: NEW_VERSION };
const BANK_BYTES = 0x4000;
const UNIT_BYTES = 32;
const MASK_AT = 20;
const SLOTS_BYTES = 0x800;
/** Where the public halves lie in the first key slot (docs/loader.md, "Keys"). */
const SESSION_KEY_AT = 4 + 32;
const FILE_KEY_AT = 4 + 3 * 32;
const KEY_BYTES = 32;
/** Until the loader of a board that was switched on runs image or installer, listening included, ns. */
const STARTED_NS = 800e6;

/** What a seed says of a device. */
export interface DeviceScript {
  readonly place: Place;
  /** An update is the customer's alone: there is no vendor at work. */
  readonly kind: 'enroll' | 'flash' | 'keys' | 'update';
  /** The board has made its keys already; always, when it is to get an image. */
  readonly hasKeys: boolean;
  readonly old: boolean;
  readonly digest: boolean;
}

export interface DeviceOptions extends Omit<ChaosOptions, 'flash' | 'board' | 'plan' | 'lock'> {
  readonly device: DeviceScript;
  readonly oldImage: Uint8Array;
}

/** The vendor's second key; the first is for sessions and keys. */
const FILES: LoaderConfig['keys'][number] = { publicKey: vendorKeys.publicKey, roles: ['files'] };
const CLEARED = [1];

let made: Uint8Array | undefined;

/** Key slots as the loader itself makes them, once in this process. */
function slotsMade(): Uint8Array {
  if (made === undefined) {
    const keys: LoaderConfig['keys'] = [{ publicKey: new Uint8Array(KEY_BYTES).fill(9), roles: ['sessions'] }, FILES];
    const board = planted({ config: { keys } }, { ...LOCKED, uid: UID });
    runMs(board, MAKES_KEYS_MS);
    made = board.flash.bytes.slice(LOADER_MAP.slots - FLASH, LOADER_MAP.slots - FLASH + SLOTS_BYTES);
  }
  return made;
}

function flashOf({ seed, device, oldImage }: DeviceOptions): Uint8Array {
  const { publicKey } = new ProductFixture({ seed: seed ^ 0x5eed }).keys.sealed;
  return plantedFlash({
    config: { listenMs: 200, digest: device.digest, keys: [{ publicKey, roles: ['sessions', 'keys'] }, FILES] },
    ...(device.hasKeys ? { slots: slotsMade() } : {}),
    ...(device.old ? { image: oldImage, banks: [[record('BANK', 1), complete(2, oldImage)], []] } : {}),
  });
}

function planFor({ device, idleLimitMs }: DeviceOptions, image: Image, job: Uint8Array) {
  const chip = requireChip(0x419);
  const { mode } = PLACES[device.place];
  const { product } = CONFIG;
  if (device.kind === 'keys') return compileKeys(chip, { job, mode, idleLimitMs, cleared: CLEARED });
  return device.kind === 'enroll'
    ? compileEnroll(chip, { job, mode, idleLimitMs, release: { product, version: 0, floor: 0 } })
    : compileFlash(image, chip, { job, mode, idleLimitMs, release: RELEASE });
}

export class ChaosDevice extends ChaosProduct {
  readonly device: DeviceScript;
  readonly oldImage: Uint8Array;
  readonly watch = new LineWatch();
  /** What came on record, in order. */
  readonly enrolled: Enrolment[] = [];
  readonly #adapter: VirtualSerialPort;
  readonly #customer: Dice;
  #isPressing = false;
  #file: UpdateFile | undefined;

  constructor(options: DeviceOptions) {
    super({
      ...options,
      lock: 'none',
      flash: flashOf(options),
      board: { rdp: 1, uid: UID },
      plan: (job) => planFor(options, options.image, job),
    });
    this.device = options.device;
    this.oldImage = options.oldImage;
    this.#customer = new Dice(options.seed, 6);
    const peer = this.board.serial('USART1');
    peer.pins = { tx: 'PA9', rx: 'PA10' };
    this.#adapter = new VirtualSerialPort({ peer, queue: this.queue });
    this.queue.follow({ followTo: (ns) => this.board.runTo(ns) });
  }

  override get line(): SerialPeer {
    return this.board.serial('USART1');
  }
  override get cable(): { unplug(): void; replug(): void } {
    return { unplug: () => this.#adapter.unplug(), replug: () => this.#adapter.plug() };
  }
  override looseWire(loose: boolean): void {
    this.line.plugged = this.#adapter.present && !loose;
  }
  protected override closeWay(): void {
    this.#adapter.close();
  }
  protected override wayToBoard(process: VirtualProcess): AgentPart {
    return { serialPort: this.#portOf(process) };
  }

  /** Public keys in the board's flash. */
  get keysOfBoard(): { readonly sessionKey: string; readonly fileKey: string } {
    const key = (at: number): string => {
      const from = LOADER_MAP.slots - FLASH + at;
      return toHex(this.board.flash.bytes.slice(from, from + KEY_BYTES));
    };
    return { sessionKey: key(SESSION_KEY_AT), fileKey: key(FILE_KEY_AT) };
  }

  protected override vendorPart(process: VirtualProcess): Partial<ControllerPart> {
    const enrol = (facts: Enrolment): Promise<Enrolled> =>
      new Promise((done) =>
        process.clock.after(this.#customer.int(20), () => {
          const known = this.enrolled.some(({ sessionKey }) => sessionKey === facts.sessionKey);
          this.enrolled.push(facts);
          done(known ? 'known' : 'new');
        }),
      );
    const sessionKey = new Uint8Array(Buffer.from(this.keysOfBoard.sessionKey, 'hex'));
    const device = this.device.kind === 'enroll' ? undefined : { uid: toHex(UID), sessionKey };
    return { device, enrol, allowedStubs: [LOADER_HASH] };
  }

  override flashIsImage(): boolean {
    if (this.writes) return super.flashIsImage();
    if (this.device.kind === 'keys') return this.cleared === CLEARED.reduce((mask, place) => mask | (1 << place), 0);
    const { sessionKey, fileKey } = this.keysOfBoard;
    return this.enrolled.some((one) => one.sessionKey === sessionKey && one.fileKey === fileKey);
  }

  /** The device is to get an image. */
  get writes(): boolean {
    return this.device.kind === 'flash' || this.device.kind === 'update';
  }

  /** Keys of its config that the journal says are taken no more, bit n for place n. */
  get cleared(): number {
    const { bytes } = this.board.flash;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    let mask = 0;
    for (const bank of BANKS) {
      for (let at = bank - FLASH; at < bank - FLASH + BANK_BYTES; at += UNIT_BYTES) {
        if (Buffer.from(bytes.subarray(at, at + 4)).toString('latin1') === 'MASK') {
          mask |= view.getUint32(at + MASK_AT, true);
        }
      }
    }
    return mask;
  }

  // ── an update: the customer's own work, over the same line ────────────────────────────────────────────────────

  override vendorSoon(ms: number): void {
    if (this.device.kind !== 'update') super.vendorSoon(ms);
  }

  override agent(room: RoomRecord, part: AgentPart = {}): Promise<AgentOutcome> {
    return this.device.kind === 'update' ? this.#update(part) : super.agent(room, part);
  }

  /** The customer types the command, and yes. */
  async #update({ serialPort, customer, clock, signal }: AgentPart): Promise<AgentOutcome> {
    const { result, board, error } = await runUpdate({
      source: serialPort!,
      file: (this.#file ??= this.#sealed()),
      customer: {
        say: (text) => customer!.say(text),
        showSheet: () => {},
        askConsent: () => new Promise((yes) => clock!.after(this.#customer.between(0, 2000), () => yes(true))),
        progress: () => {},
      },
      clock: clock!,
      random: this.random,
      log: silentLog,
      signal: signal!,
    });
    if (result === 'done') this.vendorEnd = { good: true, text: 'update' };
    return { result, board, error, byVendor: false, receipt: undefined, plan: undefined, planted: false };
  }

  #sealed(): UpdateFile {
    const devicePublic = new Uint8Array(Buffer.from(this.keysOfBoard.fileKey, 'hex'));
    const content = updateContent(this.imageBytes, { release: RELEASE });
    return updateFile('release.bfu', joined(fileFor([stranger(1), { uid: UID, devicePublic }], content)));
  }

  /** Switches the board off and on when asked to, if it is not busy with its loader. */
  protected override customerReads(text: string): void {
    if (!/press its reset button/.test(text) || this.#isPressing) return;
    this.#isPressing = true;
    this.queue.after(this.#customer.between(200, 6000), () => {
      this.#isPressing = false;
      const silent = /does not answer/.test(text);
      if (!this.board.powered || (inInstaller(this.board) && !silent)) return;
      this.say('customer', 'switches the board off and on');
      this.board.powerOff();
      this.queue.after(300, () => this.board.powerOn());
    });
  }

  /** What a board that is switched on runs. */
  startsWith(): 'image' | 'installer' | 'nothing' {
    const { board } = this;
    this.line.noise = { flips: 0, pulsesPerSecond: 0, jitter: 0 };
    board.powerOff();
    board.powerOn();
    board.runTo(board.time.now + STARTED_NS);
    if (board.core.lockedUp) return 'nothing';
    if (inInstaller(board)) return 'installer';
    return board.core.regs[15]! >>> 0 >= IMAGE ? 'image' : 'nothing';
  }

  /** Flash from the image's start on is as it was. */
  flashIsOld(): boolean {
    const at = IMAGE - FLASH;
    return Buffer.compare(this.board.flash.bytes.subarray(at, at + this.oldImage.length), this.oldImage) === 0;
  }

  // ── the adapter, as a process has it open ─────────────────────────────────────────────────────────────────────

  #portOf(process: VirtualProcess): SerialPortSource {
    return {
      name: 'USART1',
      open: () => process.results(Promise.resolve().then(() => this.#open(process))),
    };
  }

  #open(process: VirtualProcess): OpenSerialPort {
    const adapter = this.#adapter;
    if (!process.alive || !adapter.present || adapter.opened) throw fail('BF-SERIAL-NONE', 'USART1');
    adapter.bitRate = 115_200;
    adapter.open();
    let writes: Promise<void> = Promise.resolve();
    const write = (bytes: Uint8Array): Promise<void> => {
      if (!process.alive) return new Promise(() => {});
      this.#carried(bytes, true);
      return process.results((writes = writes.then(() => (process.alive ? adapter.write(bytes) : undefined))));
    };
    const port: OpenSerialPort = {
      onData: () => {},
      onGone: () => {},
      write,
      drain: () => process.results(writes),
      setBaud: (rate) => {
        if (process.alive) adapter.bitRate = rate;
        return process.results(Promise.resolve(true));
      },
      close: () => process.results(Promise.resolve(process.alive ? adapter.close() : undefined)),
    };
    adapter.onData = (bytes) => {
      this.#carried(bytes, false);
      process.deliver(() => port.onData(bytes));
    };
    adapter.onGone = () => process.deliver(() => port.onGone());
    return port;
  }

  #carried(bytes: Uint8Array, toBoard: boolean): void {
    this.watch.saw(bytes, toBoard);
    this.counted.probe++;
    this.onCount();
  }

  /** The image as it lies in flash, for whoever looks for it elsewhere. */
  get imageBytes(): Uint8Array {
    return concat(...this.chaos.image.segments.map(({ bytes }) => bytes));
  }
}
