// The server's half of RFC 2217: a serial port over a Telnet connection, so that the client can set the bit rate and
// the format in band (RFC 854, RFC 855, RFC 2217). Pure: bytes in, data and replies out. What comes in is bounded: an
// option longer than any of the RFC's is dropped.
import type { Format } from './character.ts';

const IAC = 0xff;
const COMMAND = { se: 240, sb: 250, will: 251, wont: 252, do: 253, dont: 254 } as const;
const OPTION = { binary: 0, suppressGoAhead: 3, comPort: 44 } as const;
const TAKEN: ReadonlySet<number> = new Set(Object.values(OPTION));
/** COM-PORT-OPTION commands of the client; the server's reply has the number plus 100. */
const COM = {
  signature: 0,
  baud: 1,
  dataSize: 2,
  parity: 3,
  stopSize: 4,
  control: 5,
  lineMask: 10,
  modemMask: 11,
  purge: 12,
} as const;
const REPLY = 100;
const SIGNATURE = 'Blindflash virtual board';
const PARITIES = [undefined, 'none', 'odd', 'even'] as const;
const STOP_BITS = [undefined, 1, 2, 1.5] as const;
const BREAK_ON = 5;
const PURGE_SEND = new Set([2, 3]);
/** Longest sub-option taken, bytes. */
const LONGEST = 64;

/** The port behind the connection. */
export interface ControlledPort {
  bitRate: number;
  format: Format;
  sendBreak(): void;
  /** Forgets what waits to be sent to the chip. */
  purge(): void;
}

type Stage = 'data' | 'command' | 'option' | 'sub' | 'sub-command';

export class Rfc2217Session {
  readonly #port: ControlledPort;
  readonly #reply: (bytes: Uint8Array) => void;
  readonly #data: (bytes: Uint8Array) => void;
  #stage: Stage = 'data';
  #verb = 0;
  #sub: number[] = [];
  /** Options agreed on: `WILL` and `DO` are answered once. */
  readonly #agreed = new Set<string>();

  /** @param data takes what is meant for the serial line, in order with the commands between */
  constructor(port: ControlledPort, reply: (bytes: Uint8Array) => void, data: (bytes: Uint8Array) => void) {
    this.#port = port;
    this.#reply = reply;
    this.#data = data;
  }

  /** Takes bytes of the connection. */
  take(chunk: Uint8Array): void {
    const data: number[] = [];
    for (const byte of chunk) this.#byte(byte, data);
    this.#flush(data);
  }
  /** Bytes of the serial line as they go over the connection. */
  give(data: Uint8Array): Uint8Array {
    if (!data.includes(IAC)) return data;
    return Uint8Array.from([...data].flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte])));
  }

  #flush(data: number[]): void {
    if (data.length > 0) this.#data(Uint8Array.from(data.splice(0)));
  }
  #byte(byte: number, data: number[]): void {
    switch (this.#stage) {
      case 'data':
        if (byte === IAC) this.#stage = 'command';
        else data.push(byte);
        return;
      case 'command':
        return this.#command(byte, data);
      case 'option':
        this.#stage = 'data';
        return this.#negotiate(this.#verb, byte);
      case 'sub':
        if (byte === IAC) this.#stage = 'sub-command';
        else if (this.#sub.length <= LONGEST) this.#sub.push(byte);
        return;
      case 'sub-command':
        if (byte === COMMAND.se) this.#flush(data);
        return this.#endOfSub(byte);
    }
  }
  #command(byte: number, data: number[]): void {
    this.#stage = 'data';
    if (byte === IAC) {
      data.push(IAC);
    } else if (byte === COMMAND.sb) {
      this.#sub = [];
      this.#stage = 'sub';
    } else if (byte >= COMMAND.will) {
      this.#verb = byte;
      this.#stage = 'option';
    }
  }
  #endOfSub(byte: number): void {
    if (byte === IAC) {
      this.#sub.push(IAC);
      this.#stage = 'sub';
      return;
    }
    this.#stage = 'data';
    if (byte === COMMAND.se && this.#sub.length <= LONGEST) this.#subOption(this.#sub);
  }
  #negotiate(verb: number, option: number): void {
    const asked = verb === COMMAND.do || verb === COMMAND.will;
    const key = `${verb} ${option}`;
    if (!asked || this.#agreed.has(key)) return;
    const taken = TAKEN.has(option);
    if (taken) this.#agreed.add(key);
    const yes = verb === COMMAND.do ? COMMAND.will : COMMAND.do;
    const no = verb === COMMAND.do ? COMMAND.wont : COMMAND.dont;
    this.#reply(Uint8Array.of(IAC, taken ? yes : no, option));
  }
  #subOption([option, command, ...value]: readonly number[]): void {
    if (option !== OPTION.comPort || command === undefined) return;
    const answer = this.#obey(command, value);
    if (answer === undefined) return;
    const body = this.give(Uint8Array.from(answer));
    this.#reply(Uint8Array.of(IAC, COMMAND.sb, OPTION.comPort, command + REPLY, ...body, IAC, COMMAND.se));
  }
  /** Carries out one command; the value that is in force now, which is the reply. */
  #obey(command: number, value: readonly number[]): readonly number[] | undefined {
    const port = this.#port;
    const [first = 0] = value;
    switch (command) {
      case COM.signature:
        return value.length === 0 ? [...SIGNATURE].map((char) => char.charCodeAt(0)) : undefined;
      case COM.baud:
        return this.#baud(value);
      case COM.dataSize:
        // A far end of eight bits is all there is.
        return [8];
      case COM.parity:
        return [this.#parity(first)];
      case COM.stopSize:
        if (STOP_BITS[first] !== undefined) port.format = { ...port.format, stopBits: STOP_BITS[first] };
        return [Math.max(1, STOP_BITS.indexOf(port.format.stopBits as 1))];
      case COM.control:
        if (first === BREAK_ON) port.sendBreak();
        return [first];
      case COM.lineMask:
      case COM.modemMask:
        return [0];
      case COM.purge:
        if (PURGE_SEND.has(first)) port.purge();
        return [first];
      default:
        return undefined;
    }
  }
  /** Four bytes, highest first; 0 only asks. */
  #baud(value: readonly number[]): readonly number[] | undefined {
    if (value.length !== 4) return undefined;
    const asked = value.reduce((sum, byte) => sum * 256 + byte, 0);
    if (asked > 0) this.#port.bitRate = asked;
    const { bitRate } = this.#port;
    return [24, 16, 8, 0].map((shift) => (Math.round(bitRate) >>> shift) & 0xff);
  }
  #parity(asked: number): number {
    const parity = PARITIES[asked];
    const { format } = this.#port;
    if (parity !== undefined) this.#port.format = { ...format, parity, dataBits: parity === 'none' ? 8 : 9 };
    return PARITIES.indexOf(this.#port.format.parity);
  }
}
