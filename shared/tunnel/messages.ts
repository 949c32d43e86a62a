// The messages of the tunnel, controller ↔ agent (docs/protocol.md §6): one row each, a codec
// each, JSON bodies by schema.
import { z } from 'zod';
import { fromUtf8, Reader, utf8, Writer } from '../codec/bytes.ts';
import type { OptionWords } from '../chips/option-bits.ts';
import { parseJson } from '../codec/json.ts';
import type { SealedBox } from '../crypto/session.ts';
import { fail } from '../errors/errors.ts';
import { PLAN_LIMITS } from '../plan/plan.ts';
import { ENROLL_BYTES, SEALED_BYTES } from '../sealed/protocol.ts';
import { CustomerCopySchema, FailureSchema, HelloSchema, LeftSchema, ProblemSchema } from './bodies.ts';
import type {
  CustomerCopy,
  Failure,
  Hello,
  Left,
  OwnCustomerCopy,
  OwnFailure,
  OwnHello,
  OwnProblem,
  Problem,
} from './bodies.ts';

export type TunnelSide = 'agent' | 'controller';

/** Most bytes of a JSON body. */
const JSON_BYTES = 4096;
/** Most bytes of a sealed box: an IMAGE. */
const SEALED_BOX_BYTES = 4064;
const CODE = 'BF-TUNNEL-MESSAGE';

/** Fields of each message by name, as they are read: texts are the peer's. */
export interface MessageFields {
  ACK: Empty;
  HELLO: { readonly hello: Hello };
  /**
   * sealedPublic 32, receiptPublic 32, hostEntropy 32 (random, mixed into the stub's generator), plan: canonical bytes.
   */
  JOB: {
    readonly sealedPublic: Uint8Array;
    readonly receiptPublic: Uint8Array;
    readonly hostEntropy: Uint8Array;
    readonly plan: Uint8Array;
  };
  /** planHash 64: of the bytes that were shown. */
  CONSENT: { readonly yes: boolean; readonly planHash: Uint8Array };
  /** stubHash 64, m1 136, or 168 of an enrolment. */
  SEALED1: { readonly stubHash: Uint8Array; readonly m1: Uint8Array };
  /** m2 128. */
  SEALED2: { readonly m2: Uint8Array };
  /** m3 32. */
  SEALED3: { readonly m3: Uint8Array };
  FRAME: SealedBox;
  REPLY: SealedBox;
  /** Highest FRAME sequence the agent has room for. */
  CREDIT: { readonly upTo: number };
  /**
   * What the agent says the chip has accepted and programmed so far: sealed commands of this session,
   * words. Not authenticated.
   */
  PROGRESS: { readonly accepted: number; readonly wordsProgrammed: number };
  PROBLEM: { readonly problem: Problem };
  RESTART: Empty;
  /** done: the customer's copy of the receipt; failed: the reason. */
  BYE: { readonly done: true; readonly customer: CustomerCopy } | { readonly done: false; readonly failure: Failure };
  LEFT: { readonly left: Left };
  SHEET: Empty;
  /** What the agent says the option bytes were and are, in a job that changes them. Not authenticated. */
  OPTIONS: { readonly before: OptionWords; readonly after: OptionWords };
}

export type MessageName = keyof MessageFields;

/** The same as they are written: texts are our own. */
interface OwnFields extends Omit<MessageFields, 'HELLO' | 'PROBLEM' | 'BYE'> {
  HELLO: { readonly hello: OwnHello };
  PROBLEM: { readonly problem: OwnProblem };
  BYE:
    | { readonly done: true; readonly customer: OwnCustomerCopy }
    | { readonly done: false; readonly failure: OwnFailure };
}

/** One message that was read: `{ name: 'FRAME', sequence, box }` and so on. */
export type TunnelMessage = { [Name in MessageName]: { readonly name: Name } & MessageFields[Name] }[MessageName];
/** One message to be sent. */
export type OwnMessage = { [Name in MessageName]: { readonly name: Name } & OwnFields[Name] }[MessageName];
export type OwnMessageOf<Name extends MessageName> = { readonly name: Name } & OwnFields[Name];
export type MessageOf<Name extends MessageName> = { readonly name: Name } & MessageFields[Name];

type Empty = unknown;

interface Row<Name extends MessageName> {
  readonly type: number;
  readonly from: TunnelSide | 'both';
  readonly encode: (writer: Writer, fields: OwnFields[Name]) => Writer;
  readonly decode: (reader: Reader) => MessageFields[Name];
}

const empty = { encode: (writer: Writer) => writer, decode: () => ({}) };

const sealedBox = {
  encode: (writer: Writer, fields: SealedBox) => writer.u32(fields.sequence, 'sequence').bytes(fields.box, 'box'),
  decode: (reader: Reader): SealedBox => {
    const sequence = reader.u32();
    if (sequence === 0) reader.refuse('box number 0');
    if (reader.remaining < 16 || reader.remaining > SEALED_BOX_BYTES) {
      reader.refuse(`a box of ${reader.remaining} bytes`);
    }
    return { sequence, box: reader.rest() };
  },
};

export const MESSAGES: { readonly [Name in MessageName]: Row<Name> } = {
  ACK: { type: 0x00, from: 'both', ...empty },
  HELLO: {
    type: 0x01,
    from: 'agent',
    encode: (writer, { hello }) => writer.bytes(toJson(HelloSchema, hello)),
    decode: (reader) => ({ hello: fromJson(HelloSchema, reader) }),
  },
  JOB: {
    type: 0x02,
    from: 'controller',
    encode: (writer, job) =>
      writer
        .bytes(job.sealedPublic, 'sealedPublic', 32)
        .bytes(job.receiptPublic, 'receiptPublic', 32)
        .bytes(job.hostEntropy, 'hostEntropy', 32)
        .prefixed(job.plan, 'plan'),
    decode: (reader) => ({
      sealedPublic: reader.bytes(32),
      receiptPublic: reader.bytes(32),
      hostEntropy: reader.bytes(32),
      plan: reader.prefixed(PLAN_LIMITS.bytes),
    }),
  },
  CONSENT: {
    type: 0x03,
    from: 'agent',
    encode: (writer, { yes, planHash }) => writer.u8(yes ? 1 : 0).bytes(planHash, 'planHash', 64),
    decode: (reader) => ({ yes: readBit(reader), planHash: reader.bytes(64) }),
  },
  SEALED1: {
    type: 0x04,
    from: 'agent',
    encode: (writer, { stubHash, m1 }) => writer.bytes(stubHash, 'stubHash', 64).bytes(m1, 'm1'),
    decode: (reader) => ({
      stubHash: reader.bytes(64),
      m1: reader.bytes(reader.remaining > SEALED_BYTES.m1 ? ENROLL_BYTES.m1 : SEALED_BYTES.m1),
    }),
  },
  SEALED2: {
    type: 0x05,
    from: 'controller',
    encode: (writer, { m2 }) => writer.bytes(m2, 'm2', SEALED_BYTES.m2),
    decode: (reader) => ({ m2: reader.bytes(SEALED_BYTES.m2) }),
  },
  SEALED3: {
    type: 0x06,
    from: 'agent',
    encode: (writer, { m3 }) => writer.bytes(m3, 'm3', SEALED_BYTES.m3),
    decode: (reader) => ({ m3: reader.bytes(SEALED_BYTES.m3) }),
  },
  FRAME: { type: 0x07, from: 'controller', ...sealedBox },
  REPLY: { type: 0x08, from: 'agent', ...sealedBox },
  CREDIT: {
    type: 0x09,
    from: 'agent',
    encode: (writer, { upTo }) => writer.u32(upTo, 'upTo'),
    decode: (reader) => ({ upTo: reader.u32() }),
  },
  PROGRESS: {
    type: 0x0a,
    from: 'agent',
    encode: (writer, { accepted, wordsProgrammed }) =>
      writer.u32(accepted, 'accepted').u32(wordsProgrammed, 'wordsProgrammed'),
    decode: (reader) => ({ accepted: reader.u32(), wordsProgrammed: reader.u32() }),
  },
  PROBLEM: {
    type: 0x0b,
    from: 'agent',
    encode: (writer, { problem }) => writer.bytes(toJson(ProblemSchema, problem)),
    decode: (reader) => ({ problem: fromJson(ProblemSchema, reader) }),
  },
  RESTART: { type: 0x0c, from: 'controller', ...empty },
  BYE: { type: 0x0d, from: 'controller', encode: encodeBye, decode: decodeBye },
  LEFT: {
    type: 0x0e,
    from: 'agent',
    encode: (writer, { left }) => writer.bytes(toJson(LeftSchema, left)),
    decode: (reader) => ({ left: fromJson(LeftSchema, reader) }),
  },
  SHEET: { type: 0x0f, from: 'agent', ...empty },
  OPTIONS: {
    type: 0x10,
    from: 'agent',
    encode: (writer, { before, after }) =>
      writer.u32(before.optcr).u32(before.optcr1).u32(after.optcr).u32(after.optcr1),
    decode: (reader) => ({
      before: { optcr: reader.u32(), optcr1: reader.u32() },
      after: { optcr: reader.u32(), optcr1: reader.u32() },
    }),
  },
};

const NAME_OF = new Map(Object.entries(MESSAGES).map(([name, row]) => [row.type, name as MessageName]));

/** Type byte ‖ body. Throws BF-INTERNAL-ARGUMENT for values the message cannot hold. */
export function encodeMessage(message: OwnMessage): Uint8Array {
  const row = MESSAGES[message.name] as Row<MessageName>;
  return row.encode(new Writer().u8(row.type), message as never).finish();
}

/** Reads type byte ‖ body as sent by `from`; anything else than one exact message throws BF-TUNNEL-MESSAGE. */
export function decodeMessage(from: TunnelSide, bytes: Uint8Array): TunnelMessage {
  const reader = new Reader(bytes, CODE, 'message');
  const type = reader.u8();
  const name = NAME_OF.get(type);
  if (name === undefined) throw fail(CODE, `unknown type ${type}`);
  const row = MESSAGES[name] as Row<MessageName>;
  if (row.from !== 'both' && row.from !== from) throw fail(CODE, `${name} does not come from the ${from}`);
  const body = new Reader(bytes.subarray(1), CODE, name);
  const fields = row.decode(body) as object;
  body.end();
  return { name, ...fields } as TunnelMessage;
}

/** True if `side` may send this message. */
export function maySend(side: TunnelSide, name: MessageName): boolean {
  const { from } = MESSAGES[name];
  return from === 'both' || from === side;
}

// ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function encodeBye(writer: Writer, bye: OwnFields['BYE']): Writer {
  const json = bye.done ? toJson(CustomerCopySchema, bye.customer) : toJson(FailureSchema, bye.failure);
  return writer.u8(bye.done ? 1 : 0).prefixed(json);
}

function decodeBye(reader: Reader): MessageFields['BYE'] {
  const done = readBit(reader);
  const json = new Reader(reader.prefixed(JSON_BYTES), CODE, 'BYE');
  return done
    ? { done, customer: fromJson(CustomerCopySchema, json) }
    : { done, failure: fromJson(FailureSchema, json) };
}

function readBit(reader: Reader): boolean {
  const byte = reader.u8();
  if (byte > 1) reader.refuse(`${byte} where 0 or 1 belongs`);
  return byte === 1;
}

function toJson<T>(schema: z.ZodType<unknown, T>, value: T): Uint8Array {
  const checked = schema.safeParse(value);
  if (!checked.success) throw fail('BF-INTERNAL-ARGUMENT', z.prettifyError(checked.error));
  const bytes = utf8(JSON.stringify(value));
  if (bytes.length > JSON_BYTES) throw fail('BF-INTERNAL-ARGUMENT', `a JSON body of ${bytes.length} bytes`);
  return bytes;
}

function fromJson<T>(schema: z.ZodType<T>, reader: Reader): T {
  if (reader.remaining > JSON_BYTES) reader.refuse(`a JSON body of ${reader.remaining} bytes`);
  const text = fromUtf8(reader.rest(), CODE, 'the JSON body');
  const checked = schema.safeParse(parseJson(text, CODE, 'the body'));
  if (!checked.success) throw fail(CODE, z.prettifyError(checked.error));
  return checked.data;
}
