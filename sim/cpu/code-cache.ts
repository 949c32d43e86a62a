// Decoded instructions by address: pages of closures hanging on the memory views, dropped when the bytes below change.
import { type BusMap, type CodeWatcher, PAGE_SHIFT, type View } from './bus-map.ts';
import { type Block, type BlockStart, HOT } from './blocks.ts';
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
  /** Slots where branches lead to: the instruction itself, while `ops` counts entries or runs a compiled block. */
  readonly heads = new Map<number, Op>();
  /** The two half-words each slot was decoded from; the second counts also where the instruction has one only. */
  readonly #origin = new Int32Array(SLOTS);
  readonly #blocks = new Map<number, Block>();
  /** Every slot that holds an instruction; some may have been dropped since. */
  #filled: number[] = [];

  constructor(view: View, base: number) {
    this.view = view;
    this.base = base | 0;
  }
  contains(pc: number): boolean {
    return (pc - this.base) >>> 0 < 1 << PAGE_SHIFT && pc >>> 0 < this.view.base + this.view.size;
  }
  keep(slot: number, op: Op, inIt: boolean): void {
    if (this.#isEmpty(slot)) this.#filled.push(slot);
    this.#origin[slot] = this.#bytesAt(slot);
    if (inIt) this.itOps[slot] = op;
    else this.ops[slot] = op;
  }
  /** Puts a compiled block in place of its first instruction. */
  install(slot: number, block: Block): Op {
    const offset = this.#offset(slot);
    this.#blocks.set(slot, block);
    this.view.codeMarks.fill(1, offset >>> 2, (offset + block.length + 3) >>> 2);
    return (this.ops[slot] = block.op);
  }
  drop(slot: number): void {
    this.ops[slot] = undefined;
    this.heads.delete(slot);
    this.#blocks.delete(slot);
    if (this.itOps.length > slot) this.itOps[slot] = undefined;
  }
  /** Drops the blocks that reach into bytes [from, to) of the view. */
  dropBlocks(from: number, to: number): void {
    for (const [slot, { length }] of this.#blocks) {
      const at = this.#offset(slot);
      if (at < to && at + length > from) this.drop(slot);
    }
  }
  /** Drops every instruction whose bytes are no longer those it was decoded from. */
  dropStale(): void {
    for (const slot of this.#filled) if (this.#origin[slot] !== this.#bytesAt(slot)) this.drop(slot);
    this.#filled = [...new Set(this.#filled)].filter((slot) => !this.#isEmpty(slot));
    for (const [slot, block] of this.#blocks) if (!block.standsAt(this.view, this.#offset(slot))) this.drop(slot);
  }
  #isEmpty(slot: number): boolean {
    return this.ops[slot] === undefined && this.itOps[slot] === undefined;
  }
  /** Bytes from the start of the view to a slot. */
  #offset(slot: number): number {
    return ((this.base - this.view.base) >>> 0) + 2 * slot;
  }
  #bytesAt(slot: number): number {
    const { u16 } = this.view;
    const at = this.#offset(slot) >>> 1;
    return u16[at]! | (u16[at + 1]! << 16);
  }
}

/** Decodes the instruction at `pc`; `second` fetches the next half-word when it is a 32-bit one. */
export type Decoder = (pc: number, first: number, second: () => number, inIt: boolean) => Op;

/** Makes blocks of straight code (blocks.ts) from a byte offset of a view on. */
export interface BlockMaker {
  /** Bytes of the instruction when it may stand in a block, else 0. */
  sizeAt(view: View, offset: number): number;
  /** One whose text is at hand already. */
  known(start: BlockStart): Block | undefined;
  compile(start: BlockStart): Block | undefined;
}

export class CodeCache implements CodeWatcher {
  /** For tests and measurements. */
  blocksInstalled = 0;
  readonly #bus: BusMap;
  readonly #s: CpuState;
  readonly #decode: Decoder;
  readonly #maker: BlockMaker;
  /** Where straight code went on after the instruction decoded last; 0: nowhere. */
  #following = 0;

  constructor(bus: BusMap, s: CpuState, decode: Decoder, maker: BlockMaker) {
    this.#bus = bus;
    this.#s = s;
    this.#decode = decode;
    this.#maker = maker;
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

  /** The instruction at `pc` by itself, even where a block begins. */
  single(page: CodePage, pc: number, inIt: boolean): Op {
    const head = inIt ? undefined : page.heads.get((pc - page.base) >>> 1);
    if (head !== undefined) return head;
    const op = this.fill(page, pc, inIt);
    return inIt ? op : (page.heads.get((pc - page.base) >>> 1) ?? op);
  }

  /** A branch leads to `pc`: a block may begin there. */
  branchTarget(pc: number): void {
    const page = this.pageAt(pc);
    const slot = page === undefined ? 0 : (pc - page.base) >>> 1;
    const op = page?.ops[slot];
    if (page === undefined || op === undefined || page.heads.has(slot)) return;
    this.#head(page, slot, op);
  }

  #decodeInto(page: CodePage, pc: number, inIt: boolean): Op {
    const { view } = page;
    const offset = (pc >>> 0) - view.base;
    const second = (): number => this.#halfwordAfter(view, offset);
    const op = this.#decode(pc, view.u16[offset >>> 1]!, second, inIt);
    view.codeMarks[offset >>> 2] = 1;
    if (offset + 2 < view.size) view.codeMarks[(offset + 2) >>> 2] = 1;
    const slot = (pc - page.base) >>> 1;
    page.keep(slot, op, inIt);
    if (inIt) return op;
    const size = this.#maker.sizeAt(view, offset);
    const straight = pc === this.#following;
    this.#following = size === 0 ? 0 : (pc + size) | 0;
    return straight || size === 0 ? op : this.#head(page, slot, op);
  }

  /** Puts at the slot of a block's first instruction the block, or what counts entries until it is worth compiling. */
  #head(page: CodePage, slot: number, first: Op): Op {
    const { view, base } = page;
    const decoded = (offset: number): Op => this.single(page, (view.base + offset) | 0, false);
    const left = (pc: number): void => this.branchTarget(pc);
    const start = { view, offset: ((base - view.base) >>> 0) + 2 * slot, first, decoded, left };
    page.heads.set(slot, first);
    const known = this.#maker.known(start);
    if (known !== undefined) return this.#install(page, slot, known);
    let entries = HOT;
    const counting = (): number => {
      if (--entries === 0 && page.ops[slot] === counting) {
        const block = this.#maker.compile(start);
        if (block === undefined) page.ops[slot] = first;
        else this.#install(page, slot, block);
      }
      return first();
    };
    return (page.ops[slot] = counting);
  }
  #install(page: CodePage, slot: number, block: Block): Op {
    this.blocksInstalled++;
    return page.install(slot, block);
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
    const pages = new Set([offset >>> PAGE_SHIFT, (last - 1) >>> PAGE_SHIFT]);
    for (const index of pages) (view.codePages[index] as CodePage | undefined)?.dropBlocks(offset, last);
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
