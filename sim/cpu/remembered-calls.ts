// Long calls of a pure function, computed once for the same input in one process: what the first call left in
// registers and memory is put there again, and the call takes as many cycles as the first (docs/simulation.md,
// "Remembered calls"). Until a call is over the core stands at the function's first instruction, and memory holds
// what it will hold in the end.
import type { BoardTime } from '../board-time.ts';
import type { BusMap } from './bus-map.ts';
import type { CpuState, Op } from './state.ts';

/** A function by its first instruction; it writes the same places of its stack whatever its input. */
export interface PureFunction {
  readonly entry: number;
  /** What must lie in memory: the whole program, so that a changed one is played and not remembered. */
  readonly program: { readonly address: number; readonly bytes: Uint8Array };
  /** Registers that point to input, and bytes there. */
  readonly inputs: readonly (readonly [register: number, length: number])[];
  /** Register that points to output, and bytes there. */
  readonly output: readonly [register: number, length: number];
  /** More than the function needs below the stack pointer. */
  readonly stackBytes: number;
}

/** What a call left behind. */
interface Left {
  readonly cycles: number;
  readonly registers: Int32Array;
  readonly flags: readonly [n: number, z: number, c: number, v: number];
  readonly afterMemory: number;
  readonly output: Uint8Array;
  /** What the call wrote below its stack pointer, at the places that every call of the function writes. */
  readonly stack: readonly number[];
}

/** A call that takes its time. */
interface Running {
  readonly left: Left;
  readonly sp: number;
  readonly lr: number;
  readonly epoch: number;
  cycles: number;
}

/** Calls of one function; may serve many boards, one after the other or at once. */
export class RememberedCalls {
  /** For tests. */
  played = 0;
  repeated = 0;
  /** Places of the stack, from the lowest byte on, that a call writes; found out by the first. */
  written: readonly number[] | undefined;
  readonly of: PureFunction;
  readonly #known = new Map<string, Left>();

  constructor(of: PureFunction) {
    this.of = of;
  }
  find(key: string): Left | undefined {
    const left = this.#known.get(key);
    if (left === undefined) this.played++;
    else this.repeated++;
    return left;
  }
  keep(key: string, left: Left): void {
    this.#known.set(key, left);
  }
}

export interface CallParts {
  readonly s: CpuState;
  readonly time: BoardTime;
  readonly bus: BusMap;
  /** The decoded instruction at an address. */
  readonly opAt: (pc: number) => Op;
  /** Nobody looks at single instructions or accesses. */
  readonly allowed: () => boolean;
  /** Changes with resets and restores. */
  readonly epoch: () => number;
}

/** Each byte a character of its own. */
const TEXT = new TextDecoder('latin1');
const SP = 13;
const LR = 14;

/** The function's first instruction: plays a call that is new, repeats one that is known. */
export function rememberedCall(calls: RememberedCalls, first: Op, parts: CallParts): Op {
  const { s, time } = parts;
  let running: Running | undefined;
  return () => {
    if (!parts.allowed()) return first();
    // The run loop has charged one cycle for this instruction; the call's own count holds it.
    time.cycles -= 1;
    if (running === undefined || running.sp !== s.r[SP] || running.lr !== s.r[LR] || running.epoch !== parts.epoch()) {
      running = begin(calls, first, parts);
    }
    if (running === undefined) {
      time.cycles += 1;
      return first();
    }
    const step = Math.min(running.cycles, time.limit - time.cycles);
    time.cycles += step;
    running.cycles -= step;
    if (running.cycles > 0) return calls.of.entry | 0;
    const { left, lr } = running;
    running = undefined;
    for (const register of [0, 1, 2, 3, 12, LR]) s.r[register] = left.registers[register]!;
    [s.n, s.z, s.c, s.v] = left.flags;
    s.afterMemory = left.afterMemory;
    return lr & ~1;
  };
}

function begin(calls: RememberedCalls, first: Op, parts: CallParts): Running | undefined {
  const { of } = calls;
  const { s } = parts;
  const program = bytesAt(parts.bus, of.program.address, of.program.bytes.length);
  const stack = bytesAt(parts.bus, s.r[SP]! - of.stackBytes, of.stackBytes);
  const output = bytesAt(parts.bus, s.r[of.output[0]]!, of.output[1]);
  const inputs = of.inputs.map(([register, length]) => bytesAt(parts.bus, s.r[register]!, length));
  if (program === undefined || stack === undefined || output === undefined) return undefined;
  if (inputs.includes(undefined)) return undefined;
  if (of.program.bytes.some((byte, i) => program[i] !== byte)) return undefined;
  const registers = new Uint8Array(s.r.buffer, s.r.byteOffset, 4 * (LR + 1));
  const key = [registers, ...(inputs as Uint8Array[])].map((part) => TEXT.decode(part)).join('');
  const [sp, lr] = [s.r[SP]!, s.r[LR]!];
  let left = calls.find(key);
  if (left === undefined) {
    const memories = { output, stack, inputs: inputs as Uint8Array[] };
    const written = (calls.written ??= placesWritten(first, parts, memories));
    const once = play(first, parts, output);
    left = { ...once, stack: written.map((place) => stack[place]!) };
    calls.keep(key, left);
  }
  output.set(left.output);
  calls.written!.forEach((place, i) => (stack[place] = left.stack[i]!));
  return { left, sp, lr, epoch: parts.epoch(), cycles: left.cycles };
}

interface Memories {
  readonly output: Uint8Array;
  readonly stack: Uint8Array;
  readonly inputs: readonly Uint8Array[];
}

/** Plays a call over two stacks that differ in every byte: what is the same on both afterwards, the call wrote. */
function placesWritten(first: Op, parts: CallParts, { output, stack, inputs }: Memories): readonly number[] {
  const before = stack.slice();
  const given = inputs.map((input) => input.slice());
  const restore = (): void => inputs.forEach((input, i) => input.set(given[i]!));
  const left = play(first, parts, output);
  restore();
  const once = stack.slice();
  once.forEach((byte, place) => (stack[place] = ~byte));
  const again = play(first, parts, output);
  restore();
  const written = [...once.keys()].filter((place) => stack[place] === once[place]);
  stack.set(before);
  if (again.cycles !== left.cycles || again.output.some((byte, i) => byte !== left.output[i])) {
    throw new Error('remembered calls: the function is not a pure one');
  }
  return written;
}

/** Executes the call to its end, outside of time, and gives the registers back as they were before it. */
function play(first: Op, { s, time, opAt }: CallParts, output: Uint8Array): Omit<Left, 'stack'> {
  const { cycles, limit } = time;
  const [before, sp, back] = [s.r.slice(), s.r[SP]!, s.r[LR]! & ~1];
  const flags = [s.n, s.z, s.c, s.v] as const;
  const { afterMemory } = s;
  time.limit = Infinity;
  time.cycles += 1;
  try {
    for (let pc = first(); pc !== back || s.r[SP] !== sp;) {
      time.cycles += 1;
      pc = opAt(pc)();
    }
    return {
      cycles: time.cycles - cycles,
      registers: s.r.slice(),
      flags: [s.n, s.z, s.c, s.v],
      afterMemory: s.afterMemory,
      output: output.slice(),
    };
  } finally {
    time.limit = limit;
    time.cycles = cycles;
    s.r.set(before);
    [s.n, s.z, s.c, s.v] = flags;
    s.afterMemory = afterMemory;
  }
}

/** Plain memory as it is stored; undefined where there is none, or something else. */
function bytesAt(bus: BusMap, address: number, length: number): Uint8Array | undefined {
  const view = bus.viewAt(address);
  const offset = (address >>> 0) - (view?.base ?? 0);
  if (view === undefined || view.gate.closed || view.store.memory.writes !== undefined) return undefined;
  return offset + length <= view.size ? view.u8.subarray(offset, offset + length) : undefined;
}
