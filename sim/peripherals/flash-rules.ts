// What FLASH_CR asks for and which error flags a request raises (docs/reference/stm32f4.md §3.1, §3.4, §3.6). Pure.
import type { ChipRow, Sector } from '../chips/stm32f4.ts';

export const SR = {
  eop: 0x001,
  operr: 0x002,
  wrperr: 0x010,
  pgaerr: 0x020,
  pgperr: 0x040,
  pgserr: 0x080,
  rderr: 0x100,
  bsy: 0x10000,
} as const satisfies Record<string, number>;
/** Flags a part can raise, each cleared by writing 1. */
export const clearableFlags = ({ flashRegisters }: ChipRow): number => (flashRegisters.pcrop ? 0x1f3 : 0x0f3);

export const CR = {
  pg: 0x1,
  ser: 0x2,
  mer: 0x4,
  mer1: 0x8000,
  strt: 0x10000,
  eopie: 0x01000000,
  errie: 0x02000000,
  lock: 0x80000000,
} as const satisfies Record<string, number>;
/** Bits a write to an unlocked CR takes over as they are: SNB and MER1 as far as the part has them. */
export const plainBits = ({ flashRegisters }: ChipRow): number =>
  0x03000307 | (((1 << flashRegisters.snbBits) - 1) << 3) | (flashRegisters.secondBank ? CR.mer1 : 0);

/** Bits of ACR a write takes over: LATENCY as far as the part has it. */
export const accessBits = ({ flashRegisters }: ChipRow): number => 0x1f00 | ((1 << flashRegisters.latencyBits) - 1);

export const psizeOf = (cr: number): number => (cr >>> 8) & 3;
const snbOf = (cr: number): number => (cr >>> 3) & 0x1f;

export type EraseRequest =
  /** Silently not done (RM0090 §3.9.10 note). */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'no-such-sector' }
  | { readonly kind: 'sector'; readonly sectors: readonly Sector[] }
  | { readonly kind: 'banks'; readonly sectors: readonly Sector[] };

/**
 * The erase STRT would begin under `cr`. Asking for a sector and a bank at once counts as a conflict. `split`: a part
 * of 1 MB in two banks, whose upper half no longer answers to numbers 8-11.
 */
export function eraseRequest(cr: number, sectors: readonly Sector[], split = false): EraseRequest {
  const banks = [(cr & CR.mer) !== 0, (cr & CR.mer1) !== 0] as const;
  const bankErase = banks[0] || banks[1];
  if ((cr & CR.ser) === 0) {
    if (!bankErase) return { kind: 'nothing' };
    const wanted = sectors.filter(({ bank }) => banks[bank]);
    return wanted.length > 0 ? { kind: 'banks', sectors: wanted } : { kind: 'ignored' };
  }
  if (bankErase) return { kind: 'conflict' };
  const sector = sectors.find(({ snb }) => snb === snbOf(cr));
  if (sector !== undefined) return { kind: 'sector', sectors: [sector] };
  return { kind: split && snbOf(cr) >= 8 && snbOf(cr) < 12 ? 'ignored' : 'no-such-sector' };
}

/** Error flags of a store into the array, 0 when it may be programmed. `refused`: protected, locked or read-only. */
export function storeErrors(cr: number, offset: number, width: 1 | 2 | 4, refused: boolean): number {
  if ((cr & CR.pg) === 0) return SR.pgserr | SR.pgperr;
  if (width !== 1 << psizeOf(cr)) return SR.pgperr;
  if ((offset & 15) + width > 16) return SR.pgaerr;
  return refused ? SR.wrperr : 0;
}
