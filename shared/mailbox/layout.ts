// The mailbox between agent and stub as data: docs/mailbox.md, table by table. firmware/ram-stub/mailbox.h is
// generated from this file by scripts/gen-firmware-headers.ts. All numbers are little-endian words; every access of
// the agent is word-aligned.

export interface MemoryArea {
  readonly address: number;
  readonly size: number;
  readonly what: string;
}

export interface Ring {
  readonly address: number;
  readonly slots: number;
  /** Bytes of a slot, trailer included. */
  readonly slotSize: number;
}

/** Where a stub and its mailbox lie. Addresses and sizes in bytes. */
export interface Layout {
  readonly memory: {
    readonly stub: MemoryArea;
    readonly replies: MemoryArea;
    readonly commands: MemoryArea;
    readonly control: MemoryArea;
    readonly job: MemoryArea;
    readonly private: MemoryArea;
    readonly spare?: MemoryArea;
  };
  /** Sequence `s` lives in slot `s mod slots`. */
  readonly commandRing: Ring;
  readonly replyRing: Ring;
}

/** Bytes of a slot, trailer included: boxes are the same whatever the chip. */
const SLOT_SIZES = { command: 4096, reply: 256 } as const;

const STUB = 'vectors, header, code, constants';

/** One layout for each stub, by the name the chip rows give it. */
export const LAYOUTS = {
  /** F427, F429, F437, F439: 192 KB of SRAM, private memory in CCM. */
  stm32f42x: {
    memory: {
      stub: { address: 0x20000000, size: 0x4000, what: STUB },
      replies: { address: 0x20004000, size: 0x1000, what: 'reply ring' },
      commands: { address: 0x20005000, size: 0x28000, what: 'frame ring' },
      control: { address: 0x2002d000, size: 0x400, what: 'control page' },
      job: { address: 0x2002d400, size: 0xc00, what: 'job area' },
      spare: { address: 0x2002e000, size: 0x2000, what: 'not used' },
      private: {
        address: 0x10000000,
        size: 0x10000,
        what: 'CCM: stack, keys, private copies; the agent never touches it',
      },
    },
    commandRing: { address: 0x20005000, slots: 40, slotSize: SLOT_SIZES.command },
    replyRing: { address: 0x20004000, slots: 16, slotSize: SLOT_SIZES.reply },
  },
  /** All others: the lowest 64 KB of SRAM, which every part has that can hold a stub at all. */
  stm32f4: {
    memory: {
      stub: { address: 0x20000000, size: 0x4000, what: STUB },
      replies: { address: 0x20004000, size: 0x1000, what: 'reply ring' },
      control: { address: 0x20005000, size: 0x400, what: 'control page' },
      job: { address: 0x20005400, size: 0xc00, what: 'job area' },
      commands: { address: 0x20006000, size: 0x3000, what: 'frame ring' },
      private: { address: 0x20009000, size: 0x7000, what: 'stack, keys, private copies; the agent never touches it' },
    },
    commandRing: { address: 0x20006000, slots: 3, slotSize: SLOT_SIZES.command },
    replyRing: { address: 0x20004000, slots: 16, slotSize: SLOT_SIZES.reply },
  },
} as const satisfies Record<string, Layout>;

/** The layout of the stub with this name, or undefined when there is no such stub. */
export function findLayout(name: string): Layout | undefined {
  return Object.hasOwn(LAYOUTS, name) ? LAYOUTS[name as keyof typeof LAYOUTS] : undefined;
}

/**
 * The stub header, words from `offset` of the image. The stub hash covers exactly the `length`
 * bytes from the load address.
 */
export const HEADER = {
  offset: 0x1c0,
  magic: 0x32534642, // "BFS2"
  fields: { magic: 0x00, version: 0x04, length: 0x08, control: 0x0c },
} as const;

export interface Field {
  /** Bytes from the start of the control page. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Who writes it; COMMAND is set by the agent and cleared by the stub. */
  readonly by: 'stub' | 'agent' | 'both';
  readonly what: string;
}

/** Control page. */
export const CONTROL = {
  MAGIC: { offset: 0x00, size: 4, by: 'stub', what: 'written last when the stub is up' },
  STATUS: { offset: 0x04, size: 4, by: 'stub', what: 'the one word that is polled: state, NAK and two sequences' },
  ERROR: { offset: 0x08, size: 4, by: 'stub', what: 'why it refused, aborted or stopped' },
  DETAIL: { offset: 0x0c, size: 4, by: 'stub', what: 'address, sector, flag word or PC that goes with ERROR' },
  WORDS: { offset: 0x10, size: 4, by: 'stub', what: 'words programmed so far, progress only' },
  VERSION: { offset: 0x14, size: 4, by: 'stub', what: 'major * 256 + minor' },
  HANDSHAKES: { offset: 0x18, size: 4, by: 'stub', what: 'handshakes begun' },
  ACTIVITY: { offset: 0x1c, size: 4, by: 'stub', what: 'what the chip is doing; its sector or range in bits 31:8' },
  FAULT: { offset: 0x20, size: 32, by: 'stub', what: '8 words after a CPU fault, the first is the PC' },
  COMMAND: {
    offset: 0x80,
    size: 4,
    by: 'both',
    what: 'what the agent asks; the stub sets it to 0 when it has handled it',
  },
  JOB_LENGTH: { offset: 0x84, size: 4, by: 'agent', what: 'length of the job in bytes' },
  REPLY_ACK: {
    offset: 0x88,
    size: 4,
    by: 'both',
    what: 'highest reply fetched; the stub clears it for a new handshake',
  },
  SAVE: { offset: 0x90, size: 48, by: 'agent', what: '12 words for the agent alone' },
  M1: { offset: 0xc0, size: 136, by: 'stub', what: 'first handshake message' },
  M2: { offset: 0x150, size: 128, by: 'agent', what: 'second handshake message' },
  M3: { offset: 0x1d0, size: 32, by: 'stub', what: 'third handshake message' },
  STUB_HASH: { offset: 0x1f0, size: 64, by: 'stub', what: 'SHA-512 of the stub as it computed it' },
} as const satisfies Record<string, Field>;

export type ControlName = keyof typeof CONTROL;

/** Value of MAGIC once the stub is up. */
export const MAILBOX_MAGIC = 0x32584d42; // "BMX2"

/** Fields of STATUS: shift and mask after shifting. */
export const STATUS_BITS = {
  accepted: { shift: 0, mask: 0xffff, what: 'low half of the highest frame sequence accepted' },
  reply: { shift: 16, mask: 0xff, what: 'low byte of the highest reply sequence written' },
  state: { shift: 24, mask: 0x7f, what: 'see STATES' },
  nak: { shift: 31, mask: 1, what: 'the frame in the next slot is damaged: the agent is to write it again' },
} as const;

export const STATES = {
  boot: 0,
  waiting: 1,
  offered: 2,
  active: 3,
  written: 4,
  locked: 5,
  ended: 6,
  aborted: 7,
  expired: 8,
  fault: 9,
  refused: 10,
} as const satisfies Record<string, number>;

export type StubState = keyof typeof STATES;

const STATE_NAMES = new Map<number, StubState>(
  (Object.keys(STATES) as StubState[]).map((name) => [STATES[name], name]),
);

/** The name of a state number, or undefined when no stub says that. */
export function stateName(state: number): StubState | undefined {
  return STATE_NAMES.get(state);
}

export const HOST_COMMANDS = { none: 0, job: 1, m2: 2, abort: 3, handshake: 4 } as const satisfies Record<
  string,
  number
>;

export const ACTIVITIES = { idle: 0, erasing: 1, programming: 2, digesting: 3, options: 4 } as const satisfies Record<
  string,
  number
>;

/** Words of FAULT in order; `none` is 0: LR would be next, but it may hold data. */
export const FAULT_WORDS = ['pc', 'none', 'xpsr', 'cfsr', 'hfsr', 'bfar', 'mmfar', 'sp'] as const;

/** Words of SAVE in order; the stub never reads them. */
export const SAVE_WORDS = [
  'magic',
  'dhcsr',
  'demcr',
  'dbgmcuCr',
  'apb1Fz',
  'apb2Fz',
  'fpCtrl',
  'inviteTagLow',
  'inviteTagHigh',
] as const;

/** DETAIL of `randomFailed` when a test failed; smaller values are RNG_SR. */
export const RANDOM_TESTS = { timeout: 0x100, repetition: 0x101, proportion: 0x102 } as const satisfies Record<
  string,
  number
>;

/** The last 16 bytes of a slot; the box ends where they begin. Offsets in bytes. */
export const TRAILER = { size: 16, length: 0, crc: 4, zero: 8, sequence: 12 } as const;

/** Job area: offsets in bytes; the plan fills the rest. */
export const JOB = {
  magic: 0x324a4642, // "BFJ2"
  fields: { magic: 0, length: 4, sealedKey: 8, hostEntropy: 40, plan: 72 },
} as const;

/** Box sizes of the sealed session in bytes, 16 bytes of tag included (protocol.md §8). */
export const BOX_SIZES = { image: 4064, command: 192, reply: 192 } as const;

/** How many handshakes a stub takes part in: in its life, and after a box that did not open. */
export const HANDSHAKE_LIMITS = { inAll: 16, afterFailedBox: 3 } as const;

/** Absolute address of a field of the control page of a layout. */
export function fieldAddress(layout: Layout, name: ControlName): number {
  return layout.memory.control.address + CONTROL[name].offset;
}

/** Absolute address of the slot of sequence `sequence`; the box of `length` bytes begins at slot end - 16 - length. */
export function slotAddress(ring: Ring, sequence: number): number {
  return ring.address + (sequence % ring.slots) * ring.slotSize;
}

/** STATUS taken apart; `accepted` and `reply` are the low 16 and 8 bits of their sequences. */
export interface Status {
  readonly state: number;
  readonly nak: boolean;
  readonly reply: number;
  readonly accepted: number;
}

/** Takes the STATUS word apart. */
export function parseStatus(word: number): Status {
  const field = (bits: { shift: number; mask: number }) => (word >>> bits.shift) & bits.mask;
  return {
    state: field(STATUS_BITS.state),
    nak: field(STATUS_BITS.nak) === 1,
    reply: field(STATUS_BITS.reply),
    accepted: field(STATUS_BITS.accepted),
  };
}
