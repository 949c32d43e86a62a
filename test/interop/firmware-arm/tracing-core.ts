// The virtual core on a chip that is nothing but memory, single-stepped, with every load and store seen on the bus:
// what an observer of instructions, addresses and time could learn about a call.

import { BoardTime } from '../../../sim/board-time.ts';
import type { Master, Width } from '../../../sim/bus.ts';
import { BusMap } from '../../../sim/cpu/bus-map.ts';
import { CortexM4 } from '../../../sim/cpu/cortex-m4.ts';
import { SECOND_IMAGE, type Step } from './program.ts';
import { LOAD_ADDRESS } from './shipped.ts';

const SRAM_BYTES = 192 * 1024;
const PRIVATE = { base: 0x10000000, bytes: 64 * 1024 } as const;
const STACK_TOP = PRIVATE.base + PRIVATE.bytes;
const RETURN = 0x2000fff4;
const LONGEST = 50_000_000;
/** In a trace, an instruction's address is even; an odd word announces the address of a load or store. */
const MARK = { read: 0x101, write: 0x201 } as const;

/** Words in order: even ones are PCs; odd ones say read or write and width, the next is the address. */
export interface Trace {
  readonly words: Uint32Array;
  readonly instructions: number;
  readonly cycles: number;
}

class Log {
  words = new Uint32Array(1 << 16);
  used = 0;

  add(word: number): void {
    if (this.used === this.words.length) {
      const more = new Uint32Array(2 * this.used);
      more.set(this.words);
      this.words = more;
    }
    this.words[this.used++] = word;
  }
}

/** Without page tables every access of the core comes through `read` and `write`. */
class SeenBus extends BusMap {
  log: Log | undefined;

  hideMemories(): void {
    this.readPages.fill(undefined);
    this.writePages.fill(undefined);
  }
  override read(address: number, width: Width, master: Master): number {
    if (master === 'cpu' && this.log !== undefined) {
      this.log.add(MARK.read | (width << 4));
      this.log.add(address >>> 0);
    }
    return super.read(address, width, master);
  }
  override write(address: number, value: number, width: Width, master: Master): void {
    if (master === 'cpu' && this.log !== undefined) {
      this.log.add(MARK.write | (width << 4));
      this.log.add(address >>> 0);
    }
    super.write(address, value, width, master);
  }
}

export class TracingCore {
  readonly #time = new BoardTime();
  readonly #bus = new SeenBus();
  readonly #core: CortexM4;

  constructor(image: Uint8Array, second: Uint8Array = new Uint8Array(0)) {
    const vectors = new Uint8Array(
      Uint32Array.of(STACK_TOP, LOAD_ADDRESS | 1, ...new Array<number>(14).fill(0)).buffer,
    );
    const sram = new Uint8Array(SRAM_BYTES);
    sram.set(image);
    sram.set(second, SECOND_IMAGE - LOAD_ADDRESS);
    this.#bus.addMemory({ name: 'vectors', base: 0, bytes: vectors, fetchable: false });
    this.#bus.addMemory({
      name: 'private',
      base: PRIVATE.base,
      bytes: new Uint8Array(PRIVATE.bytes),
      fetchable: false,
    });
    this.#bus.addMemory({ name: 'sram', base: LOAD_ADDRESS, bytes: sram, fetchable: true });
    this.#bus.hideMemories();
    const events = { systemResetRequested: () => undefined };
    this.#core = new CortexM4({ time: this.#time, bus: this.#bus, events, idcodePart: 0x419 });
    this.#core.idleSkip = false;
    this.#core.enterReset('power');
    this.#core.leaveReset();
  }

  /** Runs steps; one trace for each call. */
  traces(steps: readonly Step[]): Trace[] {
    return steps.flatMap((step) => this.#step(step));
  }

  #step(step: Step): Trace[] {
    if (step.op === 'write') this.#bytes(step.at, step.bytes.length).set(step.bytes);
    else if (step.op === 'fill') this.#bytes(step.at, step.length).fill(step.byte);
    else if (step.op === 'call') return [this.#call(step.entry, step.args)];
    return [];
  }
  #bytes(at: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0);
    const view = this.#bus.viewAt(at);
    if (view === undefined) throw new Error(`no memory at 0x${at.toString(16)}`);
    return view.u8.subarray(at - view.base, at - view.base + length);
  }
  /** The stack starts out the same for every call, so that nothing earlier is in the trace. */
  #call(entry: number, args: readonly number[]): Trace {
    const onStack = args.slice(4);
    const sp = STACK_TOP - ((onStack.length * 4 + 7) & ~7);
    this.#bytes(PRIVATE.base, PRIVATE.bytes).fill(0);
    this.#bytes(sp, onStack.length * 4).set(new Uint8Array(Uint32Array.from(onStack).buffer));
    const { regs } = this.#core;
    regs.fill(0, 0, 13);
    args.slice(0, 4).forEach((value, i) => (regs[i] = value));
    regs[13] = sp;
    regs[14] = RETURN | 1;
    regs[15] = entry & ~1;
    return this.#follow();
  }
  #follow(): Trace {
    const { regs } = this.#core;
    const log = new Log();
    const began = this.#time.cycles;
    let instructions = 0;
    this.#bus.log = log;
    while (regs[15] !== RETURN) {
      if (instructions++ > LONGEST || !this.#core.runnable) throw new Error('the call did not return');
      log.add(regs[15]!);
      this.#time.limit = this.#time.cycles + 1;
      this.#core.run();
    }
    this.#bus.log = undefined;
    return { words: log.words.slice(0, log.used), instructions, cycles: this.#time.cycles - began };
  }
}

/** Says where two traces part: the last instruction both ran. Undefined when they are equal. */
export function difference(a: Trace, b: Trace): string | undefined {
  const length = Math.max(a.words.length, b.words.length);
  let pc = 0;
  for (let i = 0; i < length; i++) {
    if (a.words[i] !== b.words[i]) return `after the instruction at 0x${pc.toString(16)}`;
    if ((a.words[i]! & 1) === 0) pc = a.words[i]!;
    else if (a.words[i + 1] !== b.words[i + 1]) return `address used at 0x${pc.toString(16)}`;
    else i++;
  }
  return undefined;
}
