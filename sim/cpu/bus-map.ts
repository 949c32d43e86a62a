// The system bus: a page table for whole pages of memory, a sorted list for everything else, bit-band aliases on top.
// Map and bit-band: docs/reference/stm32f4.md §2.1 to §2.5; bit-band arithmetic: ARMv7-M "Optional bit-banding".
import { BusFault, type Bus, type Device, type Gate, type Master, type Memory, type Width } from '../bus.ts';

/** Fast-path pages are 16 KiB: the largest power of two that divides SRAM1 (112 KiB). */
export const PAGE_SHIFT = 14;
/** Pages up to the end of the SRAM region: no part of the family has plain memory above it. */
const PAGE_COUNT = 0x20040000 >>> PAGE_SHIFT;
const OPEN_GATE: Gate = { closed: false, check: () => undefined };

/** One memory as it is stored; several views (home address, boot alias) may show it. */
class Store {
  readonly memory: Memory;
  readonly gate: Gate;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  /** One byte per word: non-zero where an instruction has been decoded, so a store there must invalidate it. */
  readonly codeMarks: Uint8Array;
  readonly views: View[] = [];

  constructor(memory: Memory) {
    const { bytes } = memory;
    if ((bytes.byteOffset | bytes.length) & 3) throw new Error(`${memory.name}: bytes must be word aligned and sized`);
    this.memory = memory;
    this.gate = memory.gate ?? OPEN_GATE;
    this.u8 = bytes;
    this.u16 = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 1);
    this.i32 = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    this.codeMarks = new Uint8Array(bytes.length >>> 2);
  }
}

/** A store seen at an address. `codePages` belongs to the core: decoded instructions by 16 KiB page of the view. */
export class View {
  readonly base: number;
  readonly size: number;
  readonly store: Store;
  readonly gate: Gate;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly codeMarks: Uint8Array;
  readonly codePages: unknown[] = [];

  constructor(base: number, store: Store) {
    this.base = base;
    this.size = store.u8.length;
    this.store = store;
    this.gate = store.gate;
    this.u8 = store.u8;
    this.u16 = store.u16;
    this.i32 = store.i32;
    this.codeMarks = store.codeMarks;
  }
}

interface Mapping {
  readonly base: number;
  readonly end: number;
  readonly name: string;
  readonly view?: View;
  readonly device?: Device;
}

/** Whether every byte of [base, base + size) may be read, or stored to, past the bus. */
export type PageFilter = (base: number, size: number) => { readonly read: boolean; readonly write: boolean };

/** One access, told to whoever watches the address. */
export interface BusAccess {
  readonly kind: 'read' | 'write';
  readonly master: Master;
  /** Where the memory or device has its home: an access through the boot alias or bit-band is told as that. */
  readonly address: number;
  readonly width: Width;
  readonly value: number;
}

interface Watch {
  readonly from: number;
  readonly to: number;
  readonly tell: (access: BusAccess) => void;
}

/** The core listens here: which decoded instructions are stale, and that the map itself changed. */
export interface CodeWatcher {
  /** Bytes [offset, offset + length) of what `view` shows changed. */
  codeChanged(view: View, offset: number, length: number): void;
  mapChanged(): void;
}

const BIT_BANDS = [
  { alias: 0x22000000, target: 0x20000000 },
  { alias: 0x42000000, target: 0x40000000 },
] as const;
const BIT_BAND_SIZE = 0x02000000;

/** Address decoder of the chip. Accesses must be naturally aligned; a hole answers with BusFault. */
export class BusMap implements Bus {
  /** Per 16 KiB page: the view that fills the whole page and may be read directly, else undefined. */
  readonly readPages: (View | undefined)[] = new Array<View | undefined>(PAGE_COUNT).fill(undefined);
  /** The same for stores; memories with a write device are absent. */
  readonly writePages: (View | undefined)[] = new Array<View | undefined>(PAGE_COUNT).fill(undefined);
  watcher: CodeWatcher | undefined;
  /** What the two tables would hold without a filter. */
  readonly #directRead: (View | undefined)[] = new Array<View | undefined>(PAGE_COUNT).fill(undefined);
  readonly #directWrite: (View | undefined)[] = new Array<View | undefined>(PAGE_COUNT).fill(undefined);
  readonly #filters = new Map<string, PageFilter>();
  readonly #watches = new Set<Watch>();
  #mappings: Mapping[] = [];
  /** Where the last access went: the next one often goes there too. */
  #last: Mapping | undefined;
  readonly #stores = new Map<Memory, Store>();
  readonly #aliases = new Map<number, Mapping>();

  addMemory(memory: Memory): void {
    const view = this.#makeView(memory.base, memory);
    this.#insert({ base: memory.base, end: memory.base + view.size, name: memory.name, view });
    this.#mapPages(view);
  }

  addDevice(base: number, size: number, device: Device, name: string): void {
    this.#insert({ base, end: base + size, name, device });
  }

  setAlias(alias: number, memory: Memory | undefined): void {
    const old = this.#aliases.get(alias);
    if (old?.view?.store.memory === memory) return;
    if (old?.view !== undefined) this.#removeAlias(alias, old, old.view);
    if (memory !== undefined) this.#addAlias(alias, memory);
    this.watcher?.mapChanged();
  }

  /** Leaves in the page tables only what `filter` lets pass, under the name of who asks; undefined ends it. */
  filterPages(by: string, filter: PageFilter | undefined): void {
    if (filter === undefined && !this.#filters.has(by)) return;
    if (filter === undefined) this.#filters.delete(by);
    else this.#filters.set(by, filter);
    this.#showPages();
  }

  /**
   * Tells every data access to [from, to) from now on, whoever makes it, also one that is refused then; instruction
   * fetches and calls that are remembered (remembered-calls.ts) are not told. Returns what ends it.
   */
  watch(from: number, to: number, tell: (access: BusAccess) => void): () => void {
    const watch = { from, to, tell };
    this.#watches.add(watch);
    this.#showPages();
    return () => {
      this.#watches.delete(watch);
      this.#showPages();
    };
  }

  read(address: number, width: Width, master: Master): number {
    address >>>= 0;
    const mapping = this.#find(address, width);
    if (mapping === undefined) return this.#readBitBand(address, width, master);
    if (this.#watches.size > 0) return this.#watchedRead(mapping, address, width, master);
    return this.#readMapping(mapping, address, width, master);
  }
  #readMapping(mapping: Mapping, address: number, width: Width, master: Master): number {
    const offset = address - mapping.base;
    if (mapping.device !== undefined) return mapping.device.read(offset, width, master) >>> 0;
    const view = mapping.view!;
    if (view.gate.closed) view.gate.check(address, master);
    return readView(view, offset, width);
  }

  write(address: number, value: number, width: Width, master: Master): void {
    address >>>= 0;
    const mapping = this.#find(address, width);
    if (mapping === undefined) return this.#writeBitBand(address, value, width, master);
    if (this.#watches.size > 0) this.#tell('write', mapping, address, width, master, value >>> 0);
    const offset = address - mapping.base;
    const device = mapping.device ?? mapping.view!.store.memory.writes;
    const gate = mapping.view?.gate ?? OPEN_GATE;
    if (device !== undefined) return device.write(offset, (value & mask(width)) >>> 0, width, master);
    if (gate.closed) gate.check(address, master);
    this.writeView(mapping.view!, offset, value, width);
  }

  /** Stores into plain memory and drops instructions decoded from those bytes. */
  writeView(view: View, offset: number, value: number, width: Width): void {
    if (width === 4) view.i32[offset >>> 2] = value;
    else if (width === 2) view.u16[offset >>> 1] = value;
    else view.u8[offset] = value;
    if (view.codeMarks[offset >>> 2] !== 0) this.codeWritten(view.store, offset, width);
  }

  /** Drops decoded instructions of a store; `offset` is relative to the memory. */
  codeWritten(store: Store, offset: number, length: number): void {
    const first = offset >>> 2;
    const last = (offset + length - 1) >>> 2;
    for (let word = first; word <= last; word++) store.codeMarks[word] = 0;
    for (const view of store.views) this.watcher?.codeChanged(view, first * 4, (last - first + 1) * 4);
  }

  invalidate(base: number, length: number): void {
    const mapping = this.#find(base >>> 0, 1);
    if (mapping?.view === undefined || length <= 0) return;
    const offset = (base >>> 0) - mapping.base;
    this.codeWritten(mapping.view.store, offset, Math.min(length, mapping.view.size - offset));
  }

  /** Every view of every memory. */
  views(): View[] {
    return [...this.#stores.values()].flatMap(({ views }) => views);
  }

  /** The memory view that holds `address`, undefined for devices and holes. Address as unsigned 32 bit. */
  viewAt(address: number): View | undefined {
    return this.#find(address >>> 0, 1)?.view;
  }

  /** True where a store only changes bytes of a memory. */
  isPlainMemory(address: number): boolean {
    const mapping = this.#find(address >>> 0, 1);
    if (mapping?.view === undefined) return mapping?.device?.plain ?? false;
    return mapping.view.store.memory.writes === undefined;
  }

  /** True when reading `address` changes nothing and yields the same until a write or a board timer. */
  isPure(address: number): boolean {
    const mapping = this.#find(address >>> 0, 1);
    if (mapping === undefined) return this.#isBitBandPure(address >>> 0);
    if (mapping.view !== undefined) return true;
    return mapping.device?.pure?.((address >>> 0) - mapping.base) ?? false;
  }

  /** Name and base of what answers at `address`, for messages. */
  describe(address: number): string {
    return this.#find(address >>> 0, 1)?.name ?? 'nothing';
  }

  #isWatched(home: number, size: number): boolean {
    for (const { from, to } of this.#watches) if (from < home + size && home < to) return true;
    return false;
  }
  #watchedRead(mapping: Mapping, address: number, width: Width, master: Master): number {
    let value = 0;
    try {
      value = this.#readMapping(mapping, address, width, master);
    } finally {
      this.#tell('read', mapping, address, width, master, value);
    }
    return value;
  }
  #tell(
    kind: BusAccess['kind'],
    { view }: Mapping,
    address: number,
    width: Width,
    master: Master,
    value: number,
  ): void {
    const home = view === undefined ? address : homeOf(view, address);
    for (const { from, to, tell } of this.#watches) {
      if (from < home + width && home < to) tell({ kind, master, address: home, width, value });
    }
  }

  #makeView(base: number, memory: Memory): View {
    let store = this.#stores.get(memory);
    if (store === undefined) {
      store = new Store(memory);
      this.#stores.set(memory, store);
    }
    const view = new View(base, store);
    store.views.push(view);
    return view;
  }

  #addAlias(alias: number, memory: Memory): void {
    const view = this.#makeView(alias, memory);
    const mapping = { base: alias, end: alias + view.size, name: `${memory.name} alias`, view };
    this.#insert(mapping);
    this.#aliases.set(alias, mapping);
    this.#mapPages(view);
  }

  #removeAlias(alias: number, mapping: Mapping, view: View): void {
    this.#aliases.delete(alias);
    this.#mappings = this.#mappings.filter((other) => other !== mapping);
    this.#last = undefined;
    view.store.views.splice(view.store.views.indexOf(view), 1);
    for (let at = view.base; at < view.base + view.size; at += 1 << PAGE_SHIFT) {
      const page = at >>> PAGE_SHIFT;
      if (this.#directRead[page] === view) this.#directRead[page] = undefined;
      if (this.#directWrite[page] === view) this.#directWrite[page] = undefined;
      this.#showPage(page);
    }
  }

  #insert(mapping: Mapping): void {
    const clash = this.#mappings.find((other) => other.base < mapping.end && mapping.base < other.end);
    if (clash !== undefined) throw new Error(`bus map: ${mapping.name} overlaps ${clash.name}`);
    this.#mappings.push(mapping);
    this.#mappings.sort((a, b) => a.base - b.base);
  }

  #mapPages(view: View): void {
    const size = 1 << PAGE_SHIFT;
    const direct = view.store.memory.writes === undefined;
    for (let at = Math.ceil(view.base / size) * size; at + size <= view.base + view.size; at += size) {
      this.#directRead[at >>> PAGE_SHIFT] = view;
      if (direct) this.#directWrite[at >>> PAGE_SHIFT] = view;
      this.#showPage(at >>> PAGE_SHIFT);
    }
  }

  #showPages(): void {
    for (let page = 0; page < PAGE_COUNT; page++) if (this.#directRead[page] !== undefined) this.#showPage(page);
  }
  #showPage(page: number): void {
    const view = this.#directRead[page];
    let read = view === undefined || !this.#isWatched(homeOf(view, page << PAGE_SHIFT), 1 << PAGE_SHIFT);
    let write = read;
    for (const filter of this.#filters.values()) {
      const passed = filter(page << PAGE_SHIFT, 1 << PAGE_SHIFT);
      read &&= passed.read;
      write &&= passed.write;
    }
    this.readPages[page] = read ? this.#directRead[page] : undefined;
    this.writePages[page] = write ? this.#directWrite[page] : undefined;
  }

  #find(address: number, width: Width): Mapping | undefined {
    if (address & (width - 1)) throw new BusFault(address, 'misaligned');
    const last = this.#last;
    if (last !== undefined && address >= last.base && address < last.end) return last;
    const mappings = this.#mappings;
    let low = 0;
    let high = mappings.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const mapping = mappings[middle]!;
      if (address < mapping.base) high = middle - 1;
      else if (address >= mapping.end) low = middle + 1;
      else return (this.#last = mapping);
    }
    return undefined;
  }

  #readBitBand(address: number, width: Width, master: Master): number {
    const { target, bit } = bitBandTarget(address, width);
    return (this.read(target, width, master) >>> bit) & 1;
  }

  #writeBitBand(address: number, value: number, width: Width, master: Master): void {
    const { target, bit } = bitBandTarget(address, width);
    const old = this.read(target, width, master);
    this.write(target, (old & ~(1 << bit)) | ((value & 1) << bit), width, master);
  }

  #isBitBandPure(address: number): boolean {
    const band = BIT_BANDS.find(({ alias }) => address >= alias && address < alias + BIT_BAND_SIZE);
    return band !== undefined && this.isPure(band.target + ((address - band.alias) >>> 5));
  }
}

/** Where a byte that `view` shows at `address` has its home. */
function homeOf(view: View, address: number): number {
  return view.store.memory.base + address - view.base;
}

/** The aligned unit behind a bit-band alias address and the bit number in it. */
function bitBandTarget(address: number, width: Width): { target: number; bit: number } {
  const band = BIT_BANDS.find(({ alias }) => address >= alias && address < alias + BIT_BAND_SIZE);
  if (band === undefined) throw new BusFault(address, 'nothing is mapped here');
  const byte = (address - band.alias) >>> 5;
  const lane = byte & (width - 1);
  return { target: band.target + byte - lane, bit: lane * 8 + ((address >>> 2) & 7) };
}

function readView(view: View, offset: number, width: Width): number {
  if (width === 4) return view.i32[offset >>> 2]! >>> 0;
  return width === 2 ? view.u16[offset >>> 1]! : view.u8[offset]!;
}

function mask(width: Width): number {
  return width === 4 ? 0xffffffff : (1 << (8 * width)) - 1;
}
