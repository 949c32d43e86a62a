// What programs read: every object that any command prints with `--json`, one a line on standard output. The schemas
// are the promise; docs/json-events.md is written from this table by scripts/json-events-doc.ts, and printJson takes
// nothing else. Commands import its types alone: the relay's image has no agent/, whose names stand in it.
import { EXAMINED } from '../agent/target/doctor.ts';
import { ERASED_HOW, type ErasedHow } from '../shared/sealed/messages.ts';
import { z } from 'zod';
import { BOARD_STATES, HelloSchema, ProblemSchema, type BoardState } from '../shared/tunnel/bodies.ts';
import { CustomerReceiptSchema, ReceiptSchema } from '../shared/plan/receipt.ts';
import { foreignText, type ForeignText } from '../shared/codec/foreign-text.ts';
import { SPENT_REASONS } from '../shared/tunnel/invite-state.ts';
import { KINDS } from '../shared/plan/kinds.ts';
import { MODE_ORDER, PLAN_MODES } from '../shared/plan/modes.ts';
import { DEVICE_STATES, PLACE_ORDER } from '../shared/registry/states.ts';
import { FINAL_ACTIONS, FLAGS, LOCKS, RANGE_USES } from '../shared/plan/plan.ts';

/** One kind of event of one speaker. */
export interface JsonEventRow {
  /** When it is printed, as a half sentence. */
  readonly when: string;
  /** Its fields beside `event`. */
  readonly fields: z.ZodObject;
}

/** Commands that print the same events. */
export interface JsonSpeaker {
  /** As typed after `blindflash`. */
  readonly commands: readonly string[];
  readonly events: Readonly<Record<string, JsonEventRow>>;
}

const keysOf = <T extends object>(table: T) => Object.keys(table) as [keyof T & string, ...(keyof T & string)[]];
const text = z.string().meta({ doc: 'text for people' });
const count = z.int().min(0);
const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const lines = z.array(z.string());
const board = z.enum(keysOf(BOARD_STATES) as [BoardState, ...BoardState[]]).meta({ shape: 'board' });
const chipProved = z
  .enum(['untouched', 'incomplete', 'erased', 'written'])
  .meta({ doc: 'what the chip itself has proved, or was sent' });
const code = z
  .string()
  .regex(/^BF-[A-Z0-9-]+$/)
  .meta({ doc: 'error code' });
const secondsSince1970 = z.int().min(0).meta({ doc: 'seconds since 1970' });
const url = z
  .string()
  .regex(/^(ws|tcp):\/\//)
  .meta({ doc: 'ws://HOST:PORT or tcp://HOST:PORT' });
const shortCode = z.string().min(1).meta({ doc: 'the code the two people compare' });
const milliseconds = z.number().min(0).meta({ doc: 'milliseconds' });

const progressFields = z.strictObject({
  label: text,
  doneBytes: count,
  totalBytes: count,
  bytesPerSecond: count,
  secondsLeft: count.optional(),
});

/** FLASH_OPTCR and FLASH_OPTCR1 without lock and start bit. */
const optionWords = z.strictObject({ optcr: count, optcr1: count });
const format = z.enum(['elf', 'hex', 'srec', 'dfuse', 'uf2', 'bin']);
const plan = {
  kind: z.enum(keysOf(KINDS)),
  mode: z.enum(PLAN_MODES),
  release: z
    .strictObject({ product: count, version: count, floor: count })
    .optional()
    .meta({ doc: 'in the modes with a loader' }),
  job: hex(16),
  devId: count,
  flashKiB: count,
  idleLimitMs: count,
  sectors: z.array(count),
  bootAddress: count.optional(),
  widest: z.enum(['x8', 'x16', 'x32']),
  lock: z.enum(keysOf(LOCKS)),
  finalAction: z.enum(keysOf(FINAL_ACTIONS)),
  flags: z.array(z.enum(keysOf(FLAGS))),
  options: z
    .strictObject({ mask: optionWords, value: optionWords })
    .meta({ doc: 'which bits of the option bytes are changed, and to what' }),
  ranges: z.array(z.strictObject({ address: count, length: count, use: z.enum(keysOf(RANGE_USES)) })),
  label: z.string().transform((label): string | ForeignText => foreignText(label)),
};
const planShape = z.strictObject(plan).meta({ shape: 'plan' });
const hello = HelloSchema.meta({ shape: 'hello' });
const receipt = ReceiptSchema.meta({ shape: 'receipt' });
const customerCopy = CustomerReceiptSchema.meta({ shape: 'customer’s copy' });
const signedText = z
  .strictObject({ text: z.string().meta({ doc: 'a receipt as JSON' }), signature: hex(64) })
  .meta({ shape: 'signed text' });
const span = z.strictObject({ typical: milliseconds, most: milliseconds });
const invite = {
  invite: z.string().optional().meta({ doc: 'the invite; absent when it went to a file' }),
  file: z.string().optional().meta({ doc: 'the file of --invite-out' }),
  name: text.meta({ doc: 'what the question for the code calls it' }),
  vendor: hex(32).meta({ doc: 'the vendor’s fingerprint; the customer’s sheet shows its first 20 digits' }),
  expires: secondsSince1970,
};

const deviceKeys = z
  .strictObject({
    sessionKey: hex(32),
    fileKey: hex(32),
    product: count,
    loaderHash: hex(64),
    place: z.enum(PLACE_ORDER).nullable().meta({ doc: 'where they were enrolled; null: nowhere that counts' }),
    job: hex(16).nullable(),
    at: z.string().meta({ doc: 'ISO 8601, to the second' }),
    by: text,
  })
  .meta({ shape: 'device keys' });
const device = {
  uid: hex(12),
  state: z.enum(DEVICE_STATES),
  mode: z.enum(MODE_ORDER).nullable().meta({ doc: 'strongest mode a job may claim; null: none' }),
  keys: deviceKeys.nullable().meta({ doc: 'null while a person has to decide' }),
  waiting: z.array(deviceKeys).meta({ doc: 'other keys that came for this UID' }),
};

export const JSON_EVENTS = {
  everybody: {
    commands: ['any command'],
    events: {
      error: {
        when: 'the command failed; the last line, and the process ends with `exitStatus`',
        fields: z.strictObject({
          code,
          sentence: text,
          detail: text.optional(),
          remedy: text,
          exitStatus: z.int().min(1).max(255),
          stack: z.string().optional().meta({ doc: 'with --debug only' }),
        }),
      },
    },
  },
  relay: {
    commands: ['relay'],
    events: {
      listening: { when: 'links are accepted from now on', fields: z.strictObject({ url }) },
    },
  },
  sim: {
    commands: ['sim'],
    events: {
      ready: {
        when: 'the virtual probe can be reached from now on',
        fields: z.strictObject({
          probe: text,
          firmware: text,
          serial: text,
          chip: text,
          host: z.string(),
          port: z.int().min(1).max(0xffff),
          url,
        }),
      },
      serial: {
        when: 'a serial port of the chip can be reached from now on (with --serial)',
        fields: z.strictObject({ unit: text, address: z.string().meta({ doc: 'what agent --serial takes' }) }),
      },
      uart: { when: 'the board sent a line on USART1 (with --uart)', fields: z.strictObject({ text: z.string() }) },
      control: { when: 'a line of standard input was carried out', fields: z.strictObject({ text: z.string() }) },
      'not understood': {
        when: 'a line of standard input means nothing',
        fields: z.strictObject({ text: z.string() }),
      },
      warning: {
        when: 'the model met something it does not vouch for (told at the end), or a file could not be kept',
        fields: z.strictObject({ text }),
      },
    },
  },
  doctor: {
    commands: ['doctor'],
    events: {
      finding: {
        when: 'something was examined; one for each',
        fields: z.strictObject({
          what: z.enum(EXAMINED),
          verdict: z.enum(['good', 'note', 'bad']),
          text,
          remedy: text.optional(),
          code: code.optional(),
        }),
      },
    },
  },
  probes: {
    commands: ['probes'],
    events: {
      probe: {
        when: 'a probe is there; one for each',
        fields: z.strictObject({
          kind: z.string().meta({ doc: 'such as ST-LINK/V2-1' }),
          serial: z.string().optional().meta({ doc: 'as --probe takes it' }),
          problem: code.optional(),
        }),
      },
    },
  },
  agent: {
    commands: ['agent'],
    events: {
      say: { when: 'a sentence for the customer about what goes on', fields: z.strictObject({ text }) },
      code: {
        when: 'a tunnel with the vendor stands',
        fields: z.strictObject({
          code: shortCode,
          again: z.boolean().meta({ doc: 'of a later connection, after one that was confirmed' }),
        }),
      },
      sheet: {
        when: 'the plan has come; the question for consent follows',
        fields: z.strictObject({
          planHash: hex(64),
          kind: plan.kind,
          vendor: hex(32).meta({ doc: 'the vendor’s fingerprint' }),
          vendorKnown: z.boolean().meta({ doc: 'this computer has said yes to this vendor before' }),
          word: hex(2).meta({ doc: 'what is typed for yes' }),
          lines,
        }),
      },
      progress: {
        when: 'at most four times a second while the image is taken by the chip',
        fields: progressFields,
      },
      end: {
        when: 'the job is over for this computer; `receipt` and `signature` are the customer’s copy',
        fields: z.strictObject({
          result: z.enum(['done', 'declined', 'failed']),
          board,
          byVendor: z.boolean(),
          code: code.optional(),
          receipt: z.string().nullable().optional(),
          signature: hex(64).nullable().optional(),
        }),
      },
    },
  },
  job: {
    commands: keysOf(KINDS),
    events: {
      plan: {
        when: 'the plan is made or, with --resume, loaded; before anything is sent',
        fields: z.strictObject({ job: hex(16), planHash: hex(64), lines, trust: lines }),
      },
      invite: { when: 'there is an invite to be sent to the customer', fields: z.strictObject(invite) },
      peer: {
        when: 'the customer’s computer came to the relay, or went',
        fields: z.strictObject({ present: z.boolean() }),
      },
      tunnel: {
        when: 'an encrypted tunnel with the agent stands',
        fields: z.strictObject({
          number: count.meta({ doc: 'of all tunnels of this invite, from 1' }),
          at: count.meta({ doc: 'milliseconds since 1970' }),
        }),
      },
      code: {
        when: 'the vendor is to type the code that the customer reads to him: answer with one line, `TUNNEL CODE` or the code alone; the first counts only while that tunnel is asked about. The expected code is in no event',
        fields: z.strictObject({
          tunnel: count.meta({ doc: 'number of the tunnel whose code is asked for' }),
          invite: text.meta({ doc: 'name of the invite' }),
          customer: text.meta({ doc: 'the label of the plan' }),
          again: z.enum(['wrong', 'malformed']).optional().meta({ doc: 'why it is asked again' }),
          triesLeft: count.meta({ doc: 'wrong codes until the invite is spent' }),
        }),
      },
      codeVoid: {
        when: 'the question for the code of this tunnel is void; where there is another tunnel it is asked anew',
        fields: z.strictObject({ tunnel: count }),
      },
      spent: {
        when: 'the invite is of no use any more; the job goes on with --resume and --new-invite',
        fields: z.strictObject({ why: z.enum(SPENT_REASONS) }),
      },
      hello: {
        when: 'the agent has said which probe and chip it has',
        fields: z.strictObject({ hello }),
      },
      job: {
        when: 'the plan was sent; again when it was made anew for the flash size found',
        fields: z.strictObject({ plan: planShape, planHash: hex(64) }),
      },
      sheet: { when: 'the customer is reading what would be done', fields: z.strictObject({}) },
      consent: { when: 'the customer agreed', fields: z.strictObject({}) },
      optionBytes: {
        when: 'the agent has changed option bytes, which it says were and are',
        fields: z.strictObject({ before: optionWords, after: optionWords }),
      },
      enrolled: {
        when: 'the device has proved its keys, and they are on record',
        fields: z.strictObject({
          uid: hex(12),
          place: z.enum(PLACE_ORDER),
          outcome: z
            .enum(['new', 'known', 'waiting'])
            .meta({ doc: 'waiting: another key, about which a person decides' }),
        }),
      },
      sealed: {
        when: 'a sealed session with the stub on the chip is confirmed',
        fields: z.strictObject({ uid: hex(12), stubVersion: count, handshake: count }),
      },
      erased: {
        when: 'a sector is erased',
        fields: z.strictObject({
          sector: count,
          how: z
            .enum(keysOf(ERASED_HOW) as [ErasedHow, ...ErasedHow[]])
            .meta({ doc: 'erased by itself, left because it read blank, or with all others at once' }),
        }),
      },
      sector: {
        when: 'the stub’s digests of a sector are right',
        fields: z.strictObject({
          sector: count,
          skipped: z.boolean().meta({ doc: 'it held the image already and was not written' }),
        }),
      },
      progress: {
        when: 'the chip has taken more of the image; for a bar, not for decisions',
        fields: z.strictObject({ doneBytes: count, totalBytes: count }),
      },
      written: {
        when: 'the boot words are written and the chip’s digest of the whole image is right',
        fields: z.strictObject({ root: hex(64), wordsProgrammed: count }),
      },
      receipt: { when: 'the receipt is signed and kept', fields: z.strictObject({ receipt: signedText }) },
      locked: { when: 'the lock is programmed', fields: z.strictObject({ optcr: count }) },
      problem: {
        when: 'the agent reported a problem',
        fields: z.strictObject({
          problem: ProblemSchema,
          restarting: z.boolean().meta({ doc: 'a new sealed session is asked for' }),
        }),
      },
      left: {
        when: 'the agent says it has restored the debug unit, and how it left the board',
        fields: z.strictObject({ agentSays: board, chipProved }),
      },
      done: {
        when: 'the job succeeded; the last line',
        fields: z.strictObject({
          hello,
          uid: hex(12).optional(),
          receipt: signedText.optional(),
          customerCopy: signedText.optional(),
          chipProved,
          agentSays: board.optional(),
          skipped: z.array(count).meta({ doc: 'sectors that were not written again' }),
          durationMs: milliseconds,
          times: z
            .strictObject({
              people: milliseconds,
              network: milliseconds,
              erase: milliseconds,
              program: milliseconds,
              check: milliseconds,
            })
            .meta({ doc: 'where the time went; network is what nothing else has taken' }),
        }),
      },
      stopped: {
        when: 'the job failed or was interrupted; `error` follows',
        fields: z.strictObject({
          job: hex(16),
          chipProved,
          agentSays: board.optional(),
          resumable: z.boolean().meta({ doc: 'the same command with --resume goes on' }),
          newInvite: z.boolean().meta({ doc: 'and needs --new-invite' }),
        }),
      },
    },
  },
  plan: {
    commands: ['plan'],
    events: {
      plan: {
        when: 'the dry run is made; its only line',
        fields: z.strictObject({
          format: format.meta({ doc: 'of the first file' }),
          files: z.array(z.strictObject({ name: text, format })),
          skipped: z
            .array(z.strictObject({ address: count, length: count, name: text }))
            .meta({ doc: 'what of the files is left out' }),
          job: hex(16),
          planHash: hex(64),
          imageHash: hex(64),
          sectors: plan.sectors,
          ranges: plan.ranges,
          bootAddress: plan.bootAddress,
          lock: plan.lock,
          mode: plan.mode,
          times: z.strictObject({ erase: span, program: span }),
          bytes: z
            .string()
            .regex(/^([0-9a-f]{2})+$/)
            .meta({ doc: 'the encoded plan, hexadecimal' }),
        }),
      },
    },
  },
  invite: {
    commands: ['invite'],
    events: {
      invite: { when: 'the invite is made; its only line', fields: z.strictObject(invite) },
    },
  },
  keygen: {
    commands: ['keygen'],
    events: {
      keys: {
        when: 'the keys are written; its only line',
        fields: z.strictObject({
          file: z.string(),
          protected: z.boolean().meta({ doc: 'by a passphrase' }),
          public: z.strictObject({ tenant: hex(32), receipt: hex(32), sealed: hex(32), files: hex(32) }),
          vendor: hex(32).meta({ doc: 'the fingerprint; people compare its first 20 digits' }),
        }),
      },
    },
  },
  package: {
    commands: ['package'],
    events: {
      packaged: {
        when: 'the file is written; its only line',
        fields: z.strictObject({
          file: z.string(),
          bytes: count,
          product: count,
          version: count,
          floor: count.meta({ doc: 'the least version a device takes once this one is complete' }),
          mode: z.enum(MODE_ORDER),
          devices: count,
          left: z
            .array(z.strictObject({ uid: hex(12), why: text }))
            .meta({ doc: 'devices that `--to all` means and that cannot get the file' }),
          filesKey: hex(16).meta({ doc: 'names the vendor’s key the file is sealed with' }),
        }),
      },
    },
  },
  loaderMake: {
    commands: ['loader make'],
    events: {
      loader: {
        when: 'the file is written; its only line',
        fields: z.strictObject({
          file: z.string(),
          bytes: count,
          chip: z.string().meta({ doc: 'the row of parts it was made for' }),
          product: count,
          loaderHash: hex(64).meta({ doc: 'SHA-512 of the program without the config: the same for everybody' }),
          imageStart: count.meta({ doc: 'where the image has to be linked' }),
        }),
      },
    },
  },
  inspect: {
    commands: ['inspect'],
    events: {
      'update-file': {
        when: 'the file is whole; its only line. All of it is what the file says of itself',
        fields: z.strictObject({
          bytes: count.meta({ doc: 'of the file' }),
          product: count,
          version: count,
          floor: count.meta({ doc: 'the least version a device takes once this one is complete' }),
          mode: z.enum(MODE_ORDER),
          devId: plan.devId,
          flashKiB: plan.flashKiB,
          sectors: plan.sectors,
          ranges: plan.ranges,
          label: plan.label,
          places: count.meta({ doc: 'for entries of devices, padded ones among them' }),
          frames: count,
          filesKey: hex(16).meta({ doc: 'names the vendor’s key the file was sealed with' }),
          headerHash: hex(64).meta({ doc: 'what a device knows the file by' }),
        }),
      },
    },
  },
  update: {
    commands: ['update'],
    events: {
      say: { when: 'a sentence for the customer about what goes on', fields: z.strictObject({ text }) },
      sheet: {
        when: 'file and board were compared; the question for consent follows',
        fields: z.strictObject({
          headerHash: hex(64).meta({ doc: 'what the device knows the file by' }),
          word: hex(2).meta({ doc: 'what is typed for yes' }),
          lines,
        }),
      },
      progress: {
        when: 'at most four times a second while the image is taken by the chip',
        fields: progressFields,
      },
      end: {
        when: 'it is over; what it says of the board is its loader’s own word',
        fields: z.strictObject({
          result: z.enum(['done', 'declined', 'failed']),
          board: z
            .enum(['untouched', 'incomplete', 'written'])
            .meta({ doc: 'incomplete: it may have no program, and its loader waits for the file' }),
          code: code.optional(),
          uid: hex(12).optional(),
          loaderHash: hex(64).optional(),
          versionBefore: count.optional().meta({ doc: 'of the complete image, 0 without one' }),
          versionAfter: count.optional(),
          product: count,
          version: count.meta({ doc: 'of the file' }),
          headerHash: hex(64),
          fileHash: hex(64).meta({ doc: 'SHA-512 of the file' }),
        }),
      },
    },
  },
  receiptVerify: {
    commands: ['receipt verify'],
    events: {
      receipt: {
        when: 'the signature is right; its only line (a wrong one is an `error`)',
        fields: z.strictObject({
          valid: z.literal(true),
          keyExpected: z.boolean().meta({ doc: 'whether the key was held against an expected one' }),
          receipt: z.union([receipt, customerCopy]),
          imageIs: z.literal('same').optional().meta({ doc: 'with --image; another one is an `error`' }),
        }),
      },
    },
  },
  receiptList: {
    commands: ['receipt list'],
    events: {
      list: {
        when: 'the folder was read; its only line',
        fields: z.strictObject({ jobs: z.array(hex(16)), receipts: z.array(z.string()) }),
      },
    },
  },
  deviceList: {
    commands: ['devices list'],
    events: {
      device: { when: 'for each device, in the order of the UIDs', fields: z.strictObject(device) },
      listed: { when: 'all were listed; the last line', fields: z.strictObject({ devices: count }) },
    },
  },
  oneDevice: {
    commands: ['devices show', 'devices retire', 'devices stolen', 'devices activate', 'devices accept'],
    events: {
      device: {
        when: 'what the registry says now; its only line',
        fields: z.strictObject({
          ...device,
          history: z.array(z.string()).meta({ doc: 'each entry as JSON, oldest first (devices.md)' }),
        }),
      },
    },
  },
  deviceExport: {
    commands: ['devices export'],
    events: {
      exported: {
        when: 'the file is written; its only line',
        fields: z.strictObject({ file: z.string(), devices: count, entries: count }),
      },
    },
  },
  deviceImport: {
    commands: ['devices import'],
    events: {
      imported: {
        when: 'the entries are kept; its only line',
        fields: z.strictObject({
          devices: count.meta({ doc: 'in the file' }),
          added: count.meta({ doc: 'entries that are new here' }),
          waiting: z.array(hex(12)).meta({ doc: 'UIDs with keys about which a person has to decide' }),
        }),
      },
    },
  },
} as const satisfies Record<string, JsonSpeaker>;

type Table = typeof JSON_EVENTS;
export type SpeakerName = keyof Table;

type EventsOf<S extends SpeakerName> = Table[S]['events'];
/** zod infers an object without fields as one whose every field is impossible; here it adds nothing. */
type Fields<Row> = Row extends { readonly fields: infer F extends z.ZodObject }
  ? z.infer<F> extends Record<string, never>
    ? unknown
    : Unchanging<z.infer<F>>
  : never;
type Unchanging<T> = T extends ForeignText
  ? T
  : T extends object
    ? { readonly [Name in keyof T]: Unchanging<T[Name]> }
    : T;

/** What a speaker may print. */
export type EventOf<S extends SpeakerName> = {
  [Name in keyof EventsOf<S>]: { readonly event: Name } & Fields<EventsOf<S>[Name]>;
}[keyof EventsOf<S>];

/** Anything any command may print. */
export type JsonEvent = { [S in SpeakerName]: EventOf<S> }[SpeakerName];
