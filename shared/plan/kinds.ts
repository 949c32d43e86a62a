// What kinds of job there are: one row each (docs/protocol.md §7). Everything that depends on the kind alone is a
// column here; what a kind does inside a sealed session is its handler in controller/job/work.ts, what its plan is made
// of its function in controller/plan/compile.ts. The names for the program on the chip are generated from this table.
import type { StubState } from '../mailbox/layout.ts';
import type { BoardState } from '../tunnel/bodies.ts';
import type { PlanFlag } from './plan.ts';

/** How many of something a plan may have: at least one, not one, any number. */
export type Count = 'some' | 'none' | 'any';

/** What becomes of the option bytes: they stay, become what frees a locked chip, or what the vendor chose. */
export type OptionUse = 'kept' | 'freed' | 'chosen';

export interface KindRow {
  /** Its byte in the plan. */
  readonly number: number;
  /** What it does, as the vendor reads it in a list. */
  readonly forVendor: string;
  /** What it does, as the customer reads it on the consent sheet. */
  readonly forCustomer: string;
  /** A stub is put into the chip's RAM and does the work. */
  readonly stub: boolean;
  /**
   * The resident loader of a locked chip does it, in the modes that go with one. Without loader and stub the agent does
   * all there is to do.
   */
  readonly loader: boolean;
  /** The chip tells its keys for the first time, and the job ends with an entry in the registry of devices. */
  readonly enrols: boolean;
  /** The loader forgets keys of its vendor: the plan names which, in place of a release. */
  readonly clearsKeys: boolean;
  /** Flash or option bytes are changed. */
  readonly writes: boolean;
  /** The vendor needs the image, to write it or to compare with it. */
  readonly image: boolean;
  /** A new image is what the chip starts from: the plan names its boot words, and may lock the chip. */
  readonly boots: boolean;
  /** What the plan lists. */
  readonly sectors: Count;
  readonly programs: Count;
  readonly digests: Count;
  /** What else the plan may ask for. */
  readonly flags: readonly PlanFlag[];
  /** What the plan does to the option bytes. */
  readonly options: OptionUse;
  /** The plan may leave the flash size open. */
  readonly anyFlash: boolean;
  /** How the board is left, unless the vendor says otherwise. */
  readonly finalAction: 'halt' | 'run';
  /**
   * False: no final action follows, whatever the plan says, and nobody is told of one: the board is left as it was
   * found, or as the change of its option bytes leaves it.
   */
  readonly hasFinalAction: boolean;
  /** What the receipt says of it; undefined when it earns none. */
  readonly outcome: string | undefined;
  /** Where a stub changes flash: its states in which the work is done, and what the board is then. */
  readonly complete: { readonly states: readonly StubState[]; readonly board: BoardState } | undefined;
}

export const KINDS = {
  flash: {
    number: 1,
    forVendor: 'write an image',
    forCustomer: 'write a program into the flash of your board',
    stub: true,
    loader: true,
    enrols: false,
    clearsKeys: false,
    writes: true,
    image: true,
    boots: true,
    sectors: 'some',
    programs: 'some',
    digests: 'any',
    flags: ['always erase', 'lift write protection', 'keep lifted'],
    options: 'kept',
    anyFlash: false,
    finalAction: 'run',
    hasFinalAction: true,
    outcome: 'written',
    complete: { states: ['written', 'locked', 'ended'], board: 'written' },
  },
  verify: {
    number: 2,
    forVendor: 'compare with an image, changing nothing',
    forCustomer: 'compare the flash of your board with a program, changing nothing',
    stub: true,
    loader: true,
    enrols: false,
    clearsKeys: false,
    writes: false,
    image: true,
    boots: false,
    sectors: 'none',
    programs: 'none',
    digests: 'some',
    flags: [],
    options: 'kept',
    anyFlash: false,
    finalAction: 'run',
    hasFinalAction: true,
    outcome: 'verified',
    complete: undefined,
  },
  erase: {
    number: 3,
    forVendor: 'erase',
    forCustomer: 'erase flash of your board',
    stub: true,
    loader: false,
    enrols: false,
    clearsKeys: false,
    writes: true,
    image: false,
    boots: false,
    sectors: 'some',
    programs: 'none',
    digests: 'none',
    flags: ['lift write protection', 'keep lifted'],
    options: 'kept',
    anyFlash: false,
    finalAction: 'halt',
    hasFinalAction: true,
    outcome: 'erased',
    complete: { states: ['ended'], board: 'erased' },
  },
  info: {
    number: 4,
    forVendor: 'look at the board, changing nothing',
    forCustomer: 'look at your board, changing nothing',
    stub: false,
    loader: false,
    enrols: false,
    clearsKeys: false,
    writes: false,
    image: false,
    boots: false,
    sectors: 'none',
    programs: 'none',
    digests: 'none',
    flags: [],
    options: 'kept',
    anyFlash: true,
    finalAction: 'run',
    hasFinalAction: false,
    outcome: undefined,
    complete: undefined,
  },
  reset: {
    number: 5,
    forVendor: 'reset the board',
    forCustomer: 'reset your board',
    stub: false,
    loader: false,
    enrols: false,
    clearsKeys: false,
    writes: false,
    image: false,
    boots: false,
    sectors: 'none',
    programs: 'none',
    digests: 'none',
    flags: [],
    options: 'kept',
    anyFlash: true,
    finalAction: 'run',
    hasFinalAction: true,
    outcome: undefined,
    complete: undefined,
  },
  unlock: {
    number: 6,
    forVendor: 'take read protection away, which erases the whole flash',
    forCustomer: 'ERASE YOUR WHOLE BOARD and take its read protection away',
    stub: false,
    loader: false,
    enrols: false,
    clearsKeys: false,
    writes: true,
    image: false,
    boots: false,
    sectors: 'none',
    programs: 'none',
    digests: 'none',
    flags: [],
    options: 'freed',
    anyFlash: true,
    finalAction: 'halt',
    hasFinalAction: false,
    outcome: undefined,
    complete: undefined,
  },
  options: {
    number: 7,
    forVendor: 'change option bytes',
    forCustomer: 'change settings (option bytes) of the chip on your board',
    stub: false,
    loader: false,
    enrols: false,
    clearsKeys: false,
    writes: true,
    image: false,
    boots: false,
    sectors: 'none',
    programs: 'none',
    digests: 'none',
    flags: [],
    options: 'chosen',
    anyFlash: true,
    finalAction: 'run',
    hasFinalAction: true,
    outcome: undefined,
    complete: undefined,
  },
  enroll: {
    number: 8,
    forVendor: 'enrol the device: put its keys on record',
    forCustomer: 'tell the vendor the public keys of your board, changing nothing',
    stub: false,
    loader: true,
    enrols: true,
    clearsKeys: false,
    writes: false,
    image: false,
    boots: false,
    sectors: 'none',
    programs: 'none',
    digests: 'none',
    flags: [],
    options: 'kept',
    anyFlash: false,
    finalAction: 'halt',
    hasFinalAction: false,
    outcome: 'enrolled',
    complete: undefined,
  },
  keys: {
    number: 9,
    forVendor: 'clear vendor keys of the device: it takes nothing by them any more',
    forCustomer: 'have your board forget keys of the vendor, for ever',
    stub: false,
    loader: true,
    enrols: false,
    clearsKeys: true,
    writes: true,
    image: false,
    boots: false,
    sectors: 'none',
    programs: 'none',
    digests: 'none',
    flags: [],
    options: 'kept',
    anyFlash: false,
    finalAction: 'halt',
    hasFinalAction: false,
    outcome: 'keys cleared',
    complete: undefined,
  },
} as const satisfies Record<string, KindRow>;

export type PlanKind = keyof typeof KINDS;

/** Kinds whose work is done by a program on the chip, in a sealed session. */
export type SealedKind = {
  readonly [Kind in PlanKind]: (typeof KINDS)[Kind] extends { readonly stub: true } | { readonly loader: true }
    ? Kind
    : never;
}[PlanKind];

/** What receipts say of the kinds that earn one. */
export type KindOutcome = Exclude<(typeof KINDS)[PlanKind]['outcome'], undefined>;

/** The row of a kind, as any row: where the type of KINDS' own row knows too exactly what stands in it. */
export function kindRow(kind: PlanKind): KindRow {
  return KINDS[kind];
}
