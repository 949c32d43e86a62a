// How the firmware reads and writes target memory through the MEM-AP: CSW, TAR, then DRW after DRW. docs:
// docs/reference/stlink.md §2.4.
import { AP_REGISTER } from '../dap/ahb-ap.ts';
import { DP_REGISTER } from '../dap/sw-dp.ts';
import type { Width } from '../bus.ts';
import { STATUS } from './opcodes.ts';
import type { Status } from './opcodes.ts';
import type { Steps } from './steps.ts';
import type { SwdWire, WireResult } from './swd-wire.ts';

/** A block of memory as a command names it. */
export interface Block {
  readonly ap: number;
  /** CSW bits 31:8 as the host wants them; size and increment are added here. */
  readonly csw: number;
  readonly address: number;
  readonly width: Width;
  readonly increment: boolean;
}

export interface BlockResult {
  readonly status: Status;
  /** Where it failed; 0 when it did not. */
  readonly faultAddress: number;
}

/** TAR is written anew at each multiple of this: what the architecture promises to count. */
const TAR_BLOCK = 1024;
const SIZE_CODE = { 1: 0, 2: 1, 4: 2 } as const satisfies Record<Width, number>;
const INCREMENT_SINGLE = 0x10;
const DONE: BlockResult = { status: STATUS.ok, faultAddress: 0 };
const WORD = { csw: 0, width: 4, increment: false } as const satisfies Partial<Block>;

export class MemoryPort {
  readonly #wire: SwdWire;

  constructor(wire: SwdWire) {
    this.#wire = wire;
  }

  /** Fills `bytes` from the target; what lies behind a failing access stays zero. */
  *read(block: Block, bytes: Uint8Array): Steps<BlockResult> {
    return yield* this.#run(block, bytes, this.#readRun.bind(this));
  }

  /** Writes `bytes` to the target, stopping at a failing access. */
  *write(block: Block, bytes: Uint8Array): Steps<BlockResult> {
    return yield* this.#run(block, bytes, this.#writeRun.bind(this));
  }

  *readWord(ap: number, address: number): Steps<WireResult> {
    const bytes = new Uint8Array(4);
    const result = yield* this.read({ ...WORD, ap, address }, bytes);
    return { status: result.status, value: new DataView(bytes.buffer).getUint32(0, true) };
  }

  *writeWord(ap: number, address: number, value: number): Steps<Status> {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return (yield* this.write({ ...WORD, ap, address }, bytes)).status;
  }

  /** Sets CSW, then takes the block in runs between TAR writes. */
  *#run(
    block: Block,
    bytes: Uint8Array,
    run: (block: Block, address: number, bytes: Uint8Array) => Steps<BlockResult>,
  ): Steps<BlockResult> {
    yield* this.#wire.settle();
    const csw = ((block.csw & ~0xff) | SIZE_CODE[block.width] | (block.increment ? INCREMENT_SINGLE : 0)) >>> 0;
    const set = yield* this.#wire.startAp(block.ap, AP_REGISTER.csw, true, csw);
    if (set.status !== STATUS.ok) return { status: set.status, faultAddress: block.address };
    for (let done = 0; done < bytes.length;) {
      const address = (block.address + (block.increment ? done : 0)) >>> 0;
      const room = block.increment ? TAR_BLOCK - (address % TAR_BLOCK) : bytes.length;
      const part = bytes.subarray(done, done + room);
      const tar = yield* this.#wire.startAp(block.ap, AP_REGISTER.tar, true, address);
      if (tar.status !== STATUS.ok) return { status: tar.status, faultAddress: address };
      const result = yield* run(block, address, part);
      if (result.status !== STATUS.ok) return result;
      done += part.length;
    }
    return DONE;
  }

  /** Reads are posted: each transfer brings the item before it, RDBUFF the last one. */
  *#readRun(block: Block, start: number, bytes: Uint8Array): Steps<BlockResult> {
    const { ap, width } = block;
    const count = bytes.length / width;
    for (let item = 0; item <= count; item++) {
      const reply = item < count ? yield* this.#wire.startAp(ap, AP_REGISTER.drw, false) : yield* this.#flush();
      if (reply.status !== STATUS.ok) return failure(block, start, reply.status, item);
      if (item > 0) putLanes(bytes, (item - 1) * width, width, itemAddress(block, start, item - 1), reply.value);
    }
    return DONE;
  }

  *#writeRun(block: Block, start: number, bytes: Uint8Array): Steps<BlockResult> {
    const { ap, width } = block;
    const count = bytes.length / width;
    for (let item = 0; item <= count; item++) {
      const reply =
        item < count
          ? yield* this.#wire.startAp(
              ap,
              AP_REGISTER.drw,
              true,
              lanes(bytes, item * width, width, itemAddress(block, start, item)),
            )
          : yield* this.#flush();
      if (reply.status !== STATUS.ok) return failure(block, start, reply.status, item);
    }
    return DONE;
  }

  /** Waits for the access in flight. */
  *#flush(): Steps<WireResult> {
    const reply = yield* this.#wire.transfer('dp', false, DP_REGISTER.rdbuff);
    const status = { ok: STATUS.ok, wait: STATUS.apWait, fault: STATUS.apFault, none: STATUS.apError }[reply.ack];
    return { status, value: reply.value };
  }
}

function itemAddress(block: Block, start: number, item: number): number {
  return block.increment ? (start + item * block.width) >>> 0 : start;
}

/** A FAULT tells of the access before; anything else of the one being tried. */
function failure(block: Block, start: number, status: Status, item: number): BlockResult {
  const failed = status === STATUS.apFault ? Math.max(0, item - 1) : item;
  return { status, faultAddress: itemAddress(block, start, failed) };
}

function putLanes(bytes: Uint8Array, at: number, width: Width, address: number, drw: number): void {
  for (let i = 0; i < width; i++) bytes[at + i] = drw >>> (8 * ((address + i) & 3));
}

function lanes(bytes: Uint8Array, at: number, width: Width, address: number): number {
  let drw = 0;
  for (let i = 0; i < width; i++) drw |= bytes[at + i]! << (8 * ((address + i) & 3));
  return drw >>> 0;
}
