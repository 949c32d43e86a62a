// Identification of the debug components, and the blocks that are nothing but identification (ITM, TPIU, ETM, ROM
// table). PIDR/CIDR layout: ADIv5 §14.2; part numbers of the Cortex-M4's own blocks: its TRM; ROM table:
// docs/reference/cortex-m-debug.md §3.
import { BusFault, type Device } from '../bus.ts';

/** Cortex-M4 r0p1 components: 12-bit part, revision, CIDR class. Designer is ARM (JEP106 0x3B, bank 4). */
const COMPONENTS = {
  scs: { part: 0x00c, revision: 0, class: 0xe },
  dwt: { part: 0x002, revision: 3, class: 0xe },
  fpb: { part: 0x003, revision: 2, class: 0xe },
  itm: { part: 0x001, revision: 3, class: 0xe },
  tpiu: { part: 0x9a1, revision: 0, class: 0x9 },
  etm: { part: 0x925, revision: 0, class: 0x9 },
} as const;
export type Component = keyof typeof COMPONENTS;

const DESIGNER = { arm: { id: 0x3b, bank: 4 }, st: { id: 0x20, bank: 0 } } as const;
const DEVTYPE: Partial<Record<Component, number>> = { tpiu: 0x11, etm: 0x13 };

interface Identity {
  readonly part: number;
  readonly revision: number;
  readonly class: number;
  readonly designer: { readonly id: number; readonly bank: number };
}

/** PIDR4..7, PIDR0..3, CIDR0..3 at 0xFD0..0xFFC; anything else reads zero. */
function readIdentity({ part, revision, class: kind, designer }: Identity, offset: number): number {
  const pidr4to7 = [designer.bank, 0, 0, 0];
  const pidr0to3 = [
    part & 0xff,
    ((designer.id & 15) << 4) | (part >>> 8),
    (revision << 4) | 8 | (designer.id >>> 4),
    0,
  ];
  const cidr = [0x0d, kind << 4, 0x05, 0xb1];
  return [...pidr4to7, ...pidr0to3, ...cidr][(offset - 0xfd0) >> 2] ?? 0;
}

const DEVID: Partial<Record<Component, number>> = { tpiu: 0xca1 };
/** Trace components have their clock from DEMCR.TRCENA; without it their identification is whatever the bus holds. */
const TRACED: readonly Component[] = ['dwt', 'itm', 'tpiu', 'etm'];

/** A word of a component's identification; `tracing`: DEMCR.TRCENA. */
export function readIdBlock(component: Component, offset: number, tracing: boolean): number {
  if (!tracing && TRACED.includes(component) && offset >= 0xfc8) return Math.imul(offset, 0x9e3779b1) >>> 24;
  if (offset === 0xfc8) return DEVID[component] ?? 0;
  if (offset === 0xfcc) return DEVTYPE[component] ?? 0;
  return readIdentity({ ...COMPONENTS[component], designer: DESIGNER.arm }, offset);
}

/** A block that accepts writes without effect and answers with its identity. */
export function idOnlyBlock(component: Component, tracing: () => boolean): Device {
  return {
    read: (offset) => readIdBlock(component, offset, tracing()),
    write: () => undefined,
  };
}

const ROM_ENTRIES = [0xfff0f003, 0xfff02003, 0xfff03003, 0xfff01003, 0xfff41003, 0xfff42003, 0];
const ROM_MEMTYPE = 0xfcc;

/** The ROM table; its peripheral id carries ST as designer and the chip's DEV_ID as part. */
export function romTable(part: number): Device {
  const identity = { part, revision: 0, class: 1, designer: DESIGNER.st };
  return {
    read: (offset) => {
      if (offset === ROM_MEMTYPE) return 1;
      return ROM_ENTRIES[offset >> 2] ?? readIdentity(identity, offset);
    },
    write: (offset) => {
      throw new BusFault(0xe00ff000 + offset, 'the ROM table is read-only');
    },
    pure: () => true,
  };
}
