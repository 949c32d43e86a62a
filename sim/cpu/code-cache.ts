// Decoded instructions by address: pages of closures hanging on the memory views, dropped when the bytes below change.
import { type BusMap, type CodeWatcher, PAGE_SHIFT, type View } from './bus-map.ts';
import { conditionHolds, advanceIt, type CpuState, type Op } from './state.ts';

const SLOTS = 1 << (PAGE_SHIFT - 1);
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;

/** One slot per half-word; `itOps` holds the same addresses decoded for use inside an IT block. */
export class CodePage {
  readonly view: View;
  /** Address of slot 0 as int32. */
  readonly base: number;
  readonly ops: (Op | undefined)[] = new Array<Op | undefined>(SLOTS).fill(undefined);
  readonly itOps: (Op | undefined)[] = [];
  /** The two half-words each slot was decoded from; the second counts also where the instruction has one only. */
  readonly #origin = new Int32Array(SLOTS);

  constructor(view: View, base: number) {
    this.view = view;
    this.base = base | 0;
  }
  contains(pc: number): boolean {
    return (pc - this.base) >>> 0 < 1 << PAGE_SHIFT && pc >>> 0 < this.view.base + this.view.size;
  }
  keep(slot: number, op: Op, inIt: boolean): void {
    this.#origin[slot] = this.#bytesAt(slot);
    if (inIt) this.itOps[slot] = op;
    else this.ops[slot] = op;
  }
  drop(slot: number): void {
    this.ops[slot] = undefined;
    if (this.itOps.length > slot) this.itOps[slot] = undefined;
  }
  /** Drops every instruction whose bytes are no longer those it was decoded from. */
  dropStale(): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.ops[slot] === undefined && this.itOps[slot] === undefined) continue;
      if (this.#origin[slot] !== this.#bytesAt(slot)) this.drop(slot);
    }
  }
  #bytesAt(slot: number): number {
    const { u16 } = this.view;
    const at = (((this.base - this.view.base) >>> 0) >>> 1) + slot;
    return u16[at]! | (u16[at + 1]! << 16);
  }
}

/** Decodes the instruction at `pc`; `second` fetches the next half-word when it is a 32-bit one. */
export type Decoder = (pc: number, first: number, second: () => number, inIt: boolean) => Op;

export class CodeCache implements CodeWatcher {
  readonly #bus: BusMap;
  readonly #s: CpuState;
  readonly #decode: Decoder;

  constructor(bus: BusMap, s: CpuState, decode: Decoder) {
    this.#bus = bus;
    this.#s = s;
    this.#decode = decode;
    bus.watcher = this;
  }

  /** The page to execute `pc` from; undefined where nothing may be fetched. */
  pageAt(pc: number): CodePage | undefined {
    const view = this.#bus.readPages[pc >>> PAGE_SHIFT] ?? this.#bus.viewAt(pc);
    if (view === undefined || !view.store.memory.fetchable) return undefined;
    const index = ((pc >>> 0) - view.base) >>> PAGE_SHIFT;
    const known = view.codePages[index] as CodePage | undefined;
    if (known !== undefined) return known;
    const page = new CodePage(view, view.base + (index << PAGE_SHIFT));
    view.codePages[index] = page;
    return page;
  }

  /** The instruction at `pc`, which the page must contain; decoded and kept on first use. */
  fill(page: CodePage, pc: number, inIt: boolean): Op {
    const known = (inIt ? page.itOps : page.ops)[(pc - page.base) >>> 1];
    return known ?? this.#decodeInto(page, pc, inIt);
  }

  #decodeInto(page: CodePage, pc: number, inIt: boolean): Op {
    const { view } = page;
    const offset = (pc >>> 0) - view.base;
    const second = (): number => this.#halfwordAfter(view, offset);
    const op = this.#decode(pc, view.u16[offset >>> 1]!, second, inIt);
    view.codeMarks[offset >>> 2] = 1;
    if (offset + 2 < view.size) view.codeMarks[(offset + 2) >>> 2] = 1;
    page.keep((pc - page.base) >>> 1, op, inIt);
    return op;
  }

  /** Forgets what is decoded at or across the word at `address`. */
  dropWord(address: number): void {
    const view = this.#bus.viewAt(address);
    if (view !== undefined) this.codeChanged(view, (address >>> 0) - view.base, 4);
  }

  codeChanged(view: View, offset: number, length: number): void {
    const last = Math.min(offset + length, view.size);
    for (let at = Math.max(0, offset - 2); at < last; at += 2) {
      const page = view.codePages[at >>> PAGE_SHIFT] as CodePage | undefined;
      page?.drop((at & PAGE_MASK) >>> 1);
    }
  }
  /** For memories whose content was replaced: decoded instructions stay where the bytes are the same. */
  dropStale(): void {
    for (const view of this.#bus.views()) {
      for (const page of view.codePages as (CodePage | undefined)[]) page?.dropStale();
    }
    this.mapChanged();
  }
  /** Drops every decoded instruction. */
  dropAll(): void {
    for (const view of this.#bus.views()) {
      view.codePages.length = 0;
      view.codeMarks.fill(0);
    }
    this.mapChanged();
  }
  mapChanged(): void {
    this.#s.attention = true;
  }

  #halfwordAfter(view: View, offset: number): number {
    if (offset + 2 < view.size) return view.u16[(offset + 2) >>> 1]!;
    return this.#bus.read(view.base + offset + 2, 2, 'fetch');
  }
}

/** An instruction inside an IT block: skipped or executed by the block's condition, then the block moves on. */
export function conditional(s: CpuState, body: Op, next: number): Op {
  return () => {
    const { it } = s;
    if (!conditionHolds(s, it >>> 4)) {
      s.it = advanceIt(it);
      return next;
    }
    const after = body();
    s.it = advanceIt(it);
    return after;
  };
}
