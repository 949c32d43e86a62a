// What goes between agent and probe: the stub's sealed replies are watched (one number, one box), and a hostile agent
// may write other things into the mailbox than it was given (docs/threat-model.md, "rewrite a slot after the check").
import { crc32 } from 'node:zlib';
import type { Probe } from '../../agent/probe/probe.ts';
import { CONTROL } from '../../shared/mailbox/layout.ts';
import { controlAddress, MEMORY } from '../fixtures/f42x.ts';

const SLOT_BYTES = 256;
const TRAILER_BYTES = 16;
const M1_AT = controlAddress('M1');

export interface Tampering {
  /** What is written instead, piece by piece; undefined: as given. */
  write(address: number, bytes: Uint8Array): readonly (readonly [number, Uint8Array])[] | undefined;
  /** What the agent claims to have read. */
  read(address: number, bytes: Uint8Array): Uint8Array;
}

/** Sealed replies of the chip by (handshake, sequence). */
export class ReplyWatch {
  /** Two different boxes under one number of one session. */
  readonly repeats: string[] = [];
  readonly #boxes = new Map<string, string>();
  #session = '';

  saw(address: number, bytes: Uint8Array): void {
    if (address <= M1_AT && address + bytes.length >= M1_AT + CONTROL.M1.size) {
      this.#session = Buffer.from(bytes.subarray(M1_AT - address, M1_AT - address + 32)).toString('hex');
    }
    const { replies } = MEMORY;
    if (address < replies.address || address >= replies.address + replies.size) return;
    const slotEnd = SLOT_BYTES - (address % SLOT_BYTES);
    if (bytes.length >= slotEnd) this.#slot(bytes.subarray(0, slotEnd));
  }

  #slot(slot: Uint8Array): void {
    const view = new DataView(slot.buffer, slot.byteOffset, slot.length);
    const length = view.getUint32(slot.length - TRAILER_BYTES, true);
    const sequence = view.getUint32(slot.length - 4, true);
    if (length === 0 || length > slot.length - TRAILER_BYTES) return;
    const end = slot.length - TRAILER_BYTES;
    const covered = Buffer.concat([slot.subarray(end - length, end + 4), slot.subarray(slot.length - 4)]);
    // A slot that is being written right now has no good sum.
    if (crc32(covered) !== view.getUint32(end + 4, true)) return;
    const box = Buffer.from(slot.subarray(end - length, end)).toString('hex');
    const place = `${this.#session}:${sequence}`;
    const known = this.#boxes.get(place);
    if (known !== undefined && known !== box) this.repeats.push(`reply ${sequence}`);
    this.#boxes.set(place, box);
  }
}

/** A probe seen through a watch, and through a hostile agent's hands. */
export function tapProbe(inner: Probe, watch: ReplyWatch, tampering: () => Tampering | undefined): Probe {
  const writeMemory: Probe['writeMemory'] = async (address, bytes, width) => {
    const pieces = tampering()?.write(address, bytes) ?? [[address, bytes] as const];
    for (const [to, piece] of pieces) await inner.writeMemory(to, piece, width);
  };
  const writeWord: Probe['writeWord'] = async (address, value) => {
    const bytes = new Uint8Array(new Uint32Array([value]).buffer);
    const pieces = tampering()?.write(address, bytes);
    if (pieces === undefined) return inner.writeWord(address, value);
    for (const [to, piece] of pieces) await inner.writeMemory(to, piece, 32);
  };
  const readMemory: Probe['readMemory'] = async (address, length, width) => {
    const bytes = await inner.readMemory(address, length, width);
    watch.saw(address, bytes);
    return tampering()?.read(address, bytes) ?? bytes;
  };
  const readWord: Probe['readWord'] = async (address) => {
    const value = await inner.readWord(address);
    const told = tampering()?.read(address, new Uint8Array(new Uint32Array([value]).buffer));
    return told === undefined ? value : new DataView(told.buffer, told.byteOffset, 4).getUint32(0, true);
  };
  const own: Partial<Probe> = { writeMemory, writeWord, readMemory, readWord };
  return new Proxy(inner, {
    get: (target, name) => {
      const mine = own[name as keyof Probe];
      if (mine !== undefined) return mine;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...w: unknown[]) => unknown).bind(target) : value;
    },
  });
}
