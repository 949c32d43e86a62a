// A probe on a virtual board, worked command by command, and programs of a few stores for the board to run.
import { Board, type BoardOptions } from '../../../../sim/board.ts';
import { VirtualStlink, type VirtualStlinkOptions } from '../../../../sim/stlink/virtual-stlink.ts';
import { bytes, hex } from '../probe/probe-fixture.ts';

export const MS = 1e6;
export const ENTER = 'f2 30 a3';
export const INIT_AP = 'f2 4b 00';
export const NRST_LOW = 'f2 3c 00';
export const NRST_HIGH = 'f2 3c 01';
/** Thumb instructions. */
export const WFI = 0xbf30;
/** b to the instruction before. */
export const AGAIN = 0xe7fd;

const little = (value: number): string => hex(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));

/** READDEBUGREG and WRITEDEBUGREG. */
export const peek = (address: number): string => `f2 36 ${little(address)}`;
export const poke = (address: number, value: number): string => `f2 35 ${little(address)} ${little(value)}`;
export class SeenFixture {
  readonly board: Board;
  readonly stlink: VirtualStlink;

  constructor(board: BoardOptions = {}, probe: Omit<VirtualStlinkOptions, 'board'> = {}) {
    this.board = new Board(board);
    const switches = { startMode: 'mass', ...probe.switches } as const;
    this.stlink = new VirtualStlink({ board: this.board, ...probe, switches });
    this.board.powerOn();
    this.wait(5 * MS);
  }
  wait(ns: number): void {
    this.board.runTo(this.board.time.now + ns);
  }
  powerCycle(): void {
    this.board.powerOff();
    this.wait(50 * MS);
    this.board.powerOn();
    this.wait(5 * MS);
  }
  /** The reply in hex. */
  ask(command: string, data?: string): string {
    return hex(this.stlink.exchange(bytes(command), data === undefined ? undefined : bytes(data)).reply);
  }
  /** First byte of the reply. */
  status(command: string): string {
    return this.ask(command).slice(0, 2);
  }
  /** Word of a READDEBUGREG. */
  word(address: number): number {
    const reply = bytes(this.ask(peek(address)));
    return new DataView(reply.buffer, reply.byteOffset).getUint32(4, true);
  }
  /** Status that GETLASTRWSTATUS2 tells. */
  get lastStatus(): string {
    return this.ask('f2 3e').slice(0, 2);
  }
  attach(): void {
    this.ask(ENTER);
    this.ask(INIT_AP);
  }
}

/** An image that stores `value` at `address` for each pair, then runs `tail`; its stack is at 0x20010000. */
export function program(stores: readonly (readonly [address: number, value: number])[], ...tail: number[]): Uint8Array {
  const image = new Uint8Array(0x600);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x20010000, true);
  for (let vector = 1; vector < 64; vector++) view.setUint32(4 * vector, 0x08000501, true);
  view.setUint32(4, 0x08000101, true);
  view.setUint16(0x500, 0x4770, true);
  let at = 0x100;
  const put = (half: number): void => {
    view.setUint16(at, half, true);
    at += 2;
  };
  const load = (register: number, from: number): void =>
    put(0x4800 | (register << 8) | ((from - ((at + 4) & ~3)) >>> 2));
  stores.forEach(([address, value], index) => {
    const literals = 0x200 + 8 * index;
    view.setUint32(literals, address, true);
    view.setUint32(literals + 4, value, true);
    load(0, literals);
    load(1, literals + 4);
    put(0x6001);
  });
  tail.forEach(put);
  return image;
}
