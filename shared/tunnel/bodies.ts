// The JSON bodies of tunnel messages: schemas, all strict (docs/protocol.md §6). Each that has text has two types: what
// a side writes holds its own strings (`OwnHello`), what it reads holds foreign text (`Hello`).
import { z } from 'zod';
import { foreignText } from '../codec/foreign-text.ts';

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
/** zod counts code points, the specification UTF-16 units. */
const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => value.length <= most, `more than ${most} UTF-16 units`)
    .transform(foreignText);
const u16 = z.int().min(0).max(0xffff);
const u32 = z.int().min(0).max(0xffffffff);

/** State of the board as the agent leaves or reports it: what a person is told. */
export const BOARD_STATES = {
  untouched: 'nothing was changed on the board',
  incomplete: 'flash was changed, or may have been, and the image in it is not complete: the board may not start',
  erased: 'the sectors agreed to were erased; the board starts only if what is left in its flash can',
  written: 'the complete image is in flash',
  waiting: 'the chip waits with the program for its RAM; leave it powered',
  locked: 'the complete image is in flash and locked; the board runs it once it has been switched off and on',
  rom: 'the board was reset and runs the loader in ST’s ROM, not its flash: its BOOT0 pin is high',
  running: 'the board was reset and runs the program in its flash, if there is one',
  unknown: 'the state of the board is not known',
} as const;
export type BoardState = keyof typeof BOARD_STATES;
const board = z.enum(Object.keys(BOARD_STATES) as [BoardState, ...BoardState[]]);

/** Kind of the probe in the HELLO of an agent that reaches its board over a serial line, and uses no probe. */
export const SERIAL_LINE = 'serial line';

/** HELLO: who the agent is, what it can run, what it is connected to. */
export const HelloSchema = z.strictObject({
  /** Version of the agent. */
  agent: text(64),
  /** Hashes of the stubs it knows, 128 lower-case digits each. */
  stubs: z.array(hex(64)).max(16),
  probe: z.strictObject({
    kind: text(64),
    firmware: text(64),
    serial: text(64),
    /** Supply of the target as the probe measures it; null if it cannot. */
    millivolts: z.int().min(0).max(100_000).nullable(),
  }),
  target: z.strictObject({
    devId: z.int().min(0).max(0xfff),
    revId: u16,
    uid: hex(12),
    flashKiB: u16,
    rdp: z.union([z.literal(0), z.literal(1), z.literal(2)]),
    optcr: u32,
    /** 0 where there is no second bank. */
    optcr1: u32,
  }),
});
export type Hello = z.output<typeof HelloSchema>;
export type OwnHello = z.input<typeof HelloSchema>;

const code = z.string().regex(/^BF-[A-Z0-9-]{1,40}$/);

/** PROBLEM: a coded error and in what state the board is. The code may be one this version does not know. */
export const ProblemSchema = z.strictObject({ code, detail: text(300), board });
export type Problem = z.output<typeof ProblemSchema>;
export type OwnProblem = z.input<typeof ProblemSchema>;

/** LEFT: the debug unit is restored; this is how the board was left. */
export const LeftSchema = z.strictObject({ board });
export type Left = z.infer<typeof LeftSchema>;

/**
 * BYE, done: the customer's copy (text and signature of shared/plan/receipt.ts), or nulls when
 * the job earns no receipt.
 */
export const CustomerCopySchema = z
  .strictObject({ receipt: text(3000).nullable(), signature: hex(64).nullable() })
  .refine(
    ({ receipt, signature }) => (receipt === null) === (signature === null),
    'a text and a signature, or neither',
  );
export type CustomerCopy = z.output<typeof CustomerCopySchema>;
export type OwnCustomerCopy = z.input<typeof CustomerCopySchema>;

/** BYE, failed: why. */
export const FailureSchema = z.strictObject({ code, detail: text(300) });
export type Failure = z.output<typeof FailureSchema>;
export type OwnFailure = z.input<typeof FailureSchema>;
