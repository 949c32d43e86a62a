// Fixtures for the probe tests: clocks in hand, a transport that plays a script, hex in both directions.
import assert from 'node:assert/strict';
import type { StlinkIdentity, StlinkTransport } from '../../../../agent/probe/stlink/transport.ts';
import { BlindflashError, type ErrorCode } from '../../../../shared/errors/errors.ts';
import type { Clock } from '../../../../shared/ports.ts';

/** 'F2 36 F0ED00E0' → bytes. */
export function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/\s+/g, ''), 'hex'));
}

/** Bytes → 'F2 36 F0' in the notation of docs/reference/stlink.md §3.1. */
export function hex(data: Uint8Array): string {
  return [...data].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(' ');
}

/** A command as docs/reference/stlink.md §3.1 prints it: trailing zeros dropped, at least the opcode bytes kept. */
export function padded(command: string): Uint8Array {
  const whole = new Uint8Array(16);
  whole.set(bytes(command));
  return whole;
}

/** Time passes only through waiting: every timer fires at once and is written down. For code without deadlines. */
export class EagerClock implements Clock {
  readonly delays: number[] = [];
  #time = 0;

  now(): number {
    return this.#time;
  }
  wall(): number {
    return this.#time;
  }
  after(delayMs: number, run: () => void): () => void {
    this.delays.push(delayMs);
    queueMicrotask(() => {
      this.#time += delayMs;
      run();
    });
    return () => {};
  }
}

/** Rejects with this code; the error is given back for a closer look. */
export async function rejectsWith(work: Promise<unknown>, code: ErrorCode): Promise<BlindflashError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof BlindflashError, String(error));
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`expected ${code}`);
}

/** One line of a script: the command, its OUT data if any, and the reply, all in hex. */
export interface ScriptLine {
  readonly command: string;
  readonly data?: string;
  readonly reply?: string;
}

export const line = (command: string, reply = '', data?: string): ScriptLine => {
  return data === undefined ? { command, reply } : { command, reply, data };
};

/** Plays lines in order and insists on every byte. */
export class ScriptedTransport implements StlinkTransport {
  readonly identity: StlinkIdentity;
  readonly maxBlock: number;
  readonly events: string[] = [];
  #script: ScriptLine[] = [];

  constructor(productId = 0x3748, maxBlock = 6144) {
    this.identity = { vendorId: 0x0483, productId, serial: '066DFF303230504E43112233', path: 'usb' };
    this.maxBlock = maxBlock;
  }

  expect(...lines: readonly ScriptLine[]): this {
    this.#script.push(...lines);
    return this;
  }

  /** Every line was played. */
  done(): void {
    assert.deepEqual(this.#script, []);
  }

  async open(): Promise<void> {
    this.events.push('open');
  }
  async reset(): Promise<void> {
    this.events.push('reset');
  }
  async close(): Promise<void> {
    this.events.push('close');
  }

  async exchange(command: Uint8Array, dataOut: Uint8Array | undefined, replyLength: number): Promise<Uint8Array> {
    const next = this.#script.shift();
    assert.ok(next, `unexpected command ${hex(command)}`);
    assert.equal(hex(command), hex(padded(next.command)));
    assert.equal(
      dataOut === undefined ? undefined : hex(dataOut),
      next.data === undefined ? undefined : hex(bytes(next.data)),
    );
    const reply = bytes(next.reply ?? '');
    assert.equal(replyLength, reply.length, `reply length of ${hex(command)}`);
    return reply;
  }
}
