// One session with a locked board through the loader in its flash, over a serial line. No probe and no debug command is
// used: a locked chip would stop its program for it. What the loader says of its chip is its own word until the sealed
// handshake.
import { toHex } from '../../shared/codec/bytes.ts';
import { protectionLevel } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { IDENT_FLAGS, type Ident } from '../../shared/serial/packets.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { SERIAL_LINE } from '../../shared/tunnel/bodies.ts';
import type { ProbeInfo } from '../probe/probe.ts';
import type { Transport } from '../transport/port.ts';
import type { SerialPortSource } from '../transport/serial/port.ts';
import { SerialTransport } from '../transport/serial/serial-transport.ts';
import type { Target } from './target.ts';
import type { BoardIdentity } from './target-session.ts';

/** How long the loader is knocked for, milliseconds: a person may have to find the reset button first. Chosen. */
const KNOCK_MS = 180_000;
const LOOKING_TEXT =
  'Looking for the loader of the board. If it runs its program already: switch it off and on now, or press its reset button.';
const AGAIN_TEXT =
  'The loader of the board does not answer any more: the board may run its program. Switch it off and on now, or press its reset button.';

const NO_KEYS_TEXT =
  'The loader is there, and has made no keys: it does so in a start after the board was without any power, and only then. Take the ' +
  'ST-LINK and the serial adapter off (they feed the board through its pins), switch it off, wait ten seconds, switch it on ' +
  'with the serial line alone. It is looked for meanwhile.';
/** A loader without keys is looked for anew this often, each time after a moment. Chosen. */
const LOOKS_FOR_KEYS = 36;
const BETWEEN_LOOKS_MS = 5000;

export interface LoaderTargetOptions {
  /** Not yet opened. */
  readonly source: SerialPortSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Asks the person at the board to do something with it. */
  readonly ask: (text: string) => void;
}

export class LoaderTarget implements Target {
  readonly program = 'loader';
  readonly millivolts = null;
  readonly reached = 'running';
  readonly bootSource = 'flash';
  readonly #options: LoaderTargetOptions;
  readonly #serial: SerialTransport;
  #ident: Ident | undefined;
  #begun = false;

  constructor(options: LoaderTargetOptions) {
    this.#options = options;
    this.#serial = new SerialTransport(options);
  }

  get info(): ProbeInfo {
    const { name } = this.#options.source;
    return { kind: SERIAL_LINE, firmware: '', serial: name, path: name };
  }

  get identity(): BoardIdentity {
    const { devId, flashKiB, uid, optcr, optcr1 } = this.#found();
    return { devId, revId: 0, uid, flashKiB, optcr, optcr1, rdp: protectionLevel(optcr) };
  }

  get transport(): Transport | undefined {
    return this.#begun ? this.#serial : undefined;
  }

  get programHashes(): readonly string[] {
    return [toHex(this.#found().loaderHash)];
  }

  programHash(): Uint8Array {
    return this.#found().loaderHash;
  }

  /** A loader keeps no session for another agent: nothing is ever found running. */
  async attach(): Promise<undefined> {
    this.#options.ask(LOOKING_TEXT);
    await this.#look();
  }

  /** The way to the loader, which may have gone on to its image meanwhile. @throws BF-SERIAL-* */
  async startStub(): Promise<Transport> {
    this.#begun = true;
    if (!(await this.#serial.answers())) {
      this.#options.ask(AGAIN_TEXT);
      await this.#serial.close();
      await this.#look();
    }
    return this.#serial;
  }

  changeOptions(): Promise<never> {
    return unable();
  }

  markPower(): Promise<never> {
    return unable();
  }

  wasPowerCycled(): Promise<never> {
    return unable();
  }

  readRdpLevel(): Promise<0 | 1 | 2> {
    return Promise.resolve(this.identity.rdp);
  }

  /** The loader leaves by itself, as the plan says or when no session is begun. */
  finish(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#serial.close().catch((error: unknown) => {
      this.#options.log.warn({ error: String(error) }, 'letting go of the serial port');
    });
  }

  async #look(): Promise<void> {
    this.#ident = await this.#serial.open(KNOCK_MS);
    for (let looks = 0; looks < LOOKS_FOR_KEYS && mayStillMakeKeys(this.#ident); looks++) {
      if (looks === 0) this.#options.ask(NO_KEYS_TEXT);
      await this.#serial.close();
      await pause(this.#options.clock, BETWEEN_LOOKS_MS);
      this.#ident = await this.#serial.open(KNOCK_MS);
    }
  }

  #found(): Ident {
    if (this.#ident === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'no loader was found yet');
    return this.#ident;
  }
}

/** A locked chip without keys that has room for some. */
function mayStillMakeKeys({ flags, freeKeySlots }: Ident): boolean {
  return (flags & IDENT_FLAGS.locked) !== 0 && (flags & IDENT_FLAGS.keys) === 0 && freeKeySlots > 0;
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

/** Jobs that need a probe are refused before. */
function unable(): Promise<never> {
  return Promise.reject(fail('BF-INTERNAL-ARGUMENT', 'no option byte is written over a serial line'));
}
