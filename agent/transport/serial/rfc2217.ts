// The client's half of RFC 2217: a serial port over a Telnet connection, so that the bit rate can be set in band
// (RFC 854, RFC 2217). Pure: bytes in, bytes out. What comes in is bounded.
import { assertInteger, U32_MAX } from '../../../shared/codec/bytes.ts';

const IAC = 0xff;
const SE = 240;
const SB = 250;
const WILL = 251;
const DONT = 254;
const DO = 253;
const BINARY = 0;
const COM_PORT = 44;
const SET_BAUD = 1;
/** Added to a command's number in the server's reply. */
const REPLY = 100;
/** Longest sub-option taken, bytes. */
const LONGEST = 64;

type Stage = 'data' | 'command' | 'option' | 'sub' | 'sub-command';

export class Rfc2217Client {
  #stage: Stage = 'data';
  #sub: number[] = [];

  /** The bit rate the server says it set, bit/s. */
  onBaud: (bitsPerSecond: number) => void = () => {};

  /** What a connection begins with: eight-bit data both ways, and the serial port's own commands. */
  greeting(): Uint8Array {
    return Uint8Array.of(IAC, WILL, BINARY, IAC, DO, BINARY, IAC, WILL, COM_PORT);
  }

  /** Data for the serial line as it goes over the connection. */
  encode(data: Uint8Array): Uint8Array {
    return data.includes(IAC)
      ? Uint8Array.from([...data].flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte])))
      : data;
  }

  /** Asks for a bit rate, bit/s; the server answers with what it has. */
  setBaud(bitsPerSecond: number): Uint8Array {
    assertInteger(bitsPerSecond, 'the bit rate', 1, U32_MAX);
    const rate = [24, 16, 8, 0].map((shift) => (bitsPerSecond >>> shift) & 0xff);
    return Uint8Array.of(IAC, SB, COM_PORT, SET_BAUD, ...this.encode(Uint8Array.from(rate)), IAC, SE);
  }

  /** Takes bytes of the connection; returns those of the serial line. */
  take(chunk: Uint8Array): Uint8Array {
    const data: number[] = [];
    for (const byte of chunk) this.#stage = this.#next(byte, data);
    return Uint8Array.from(data);
  }

  #next(byte: number, data: number[]): Stage {
    switch (this.#stage) {
      case 'data':
        if (byte === IAC) return 'command';
        data.push(byte);
        return 'data';
      case 'command':
        if (byte === IAC) data.push(IAC);
        if (byte === SB) this.#sub = [];
        return byte === SB ? 'sub' : byte >= WILL && byte <= DONT ? 'option' : 'data';
      case 'option':
        // What the server offers or asks beyond the greeting needs no answer.
        return 'data';
      case 'sub':
        if (byte === IAC) return 'sub-command';
        if (this.#sub.length <= LONGEST) this.#sub.push(byte);
        return 'sub';
      case 'sub-command':
        if (byte === IAC) this.#sub.push(IAC);
        else if (byte === SE) this.#obey(this.#sub);
        return byte === IAC ? 'sub' : 'data';
    }
  }

  #obey([option, command, ...value]: readonly number[]): void {
    if (option !== COM_PORT || command !== SET_BAUD + REPLY || value.length !== 4) return;
    this.onBaud(value.reduce((sum, byte) => sum * 256 + byte, 0));
  }
}
