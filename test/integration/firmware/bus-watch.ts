// Watches what the core of a board reads or stores, by address: takes the page off the bus's
// fast path and listens there.
import type { Board } from '../../../sim/board.ts';
import { PAGE_SHIFT } from '../../../sim/cpu/bus-map.ts';

/** Pages that [from, to) touches. */
function pages(from: number, to: number): number[] {
  const first = from >>> PAGE_SHIFT;
  return Array.from({ length: ((to - 1) >>> PAGE_SHIFT) - first + 1 }, (_, i) => first + i);
}

/** Calls `seen` at every store of the core into [from, to), before it is done. */
export function watchStores({ bus }: Board, from: number, to: number, seen: (value: number) => void): void {
  for (const page of pages(from, to)) bus.writePages[page] = undefined;
  const write = bus.write.bind(bus);
  bus.write = (address, value, width, master) => {
    if (master === 'cpu' && address >= from && address < to) seen(value);
    write(address, value, width, master);
  };
}

/** Calls `seen` at every load of the core from [from, to), at whatever byte it begins. */
export function watchLoads({ bus }: Board, from: number, to: number, seen: () => void): void {
  for (const page of pages(from, to)) bus.readPages[page] = undefined;
  const read = bus.read.bind(bus);
  bus.read = (address, width, master) => {
    if (master === 'cpu' && address + width > from && address < to) seen();
    return read(address, width, master);
  };
}
