// Seals an update file for devices (docs/update-files.md §3, §4): the vendor's half. Pure: chance and the key agreement
// come in.
import { assertInteger, concat, equalBytes, isZero, toHex, wipe, Writer } from '../codec/bytes.ts';
import { sha512 } from '../crypto/hash.ts';
import type { ExchangeKeyPair, ExchangeMany } from '../crypto/keys.ts';
import { exchangeKeyPair } from '../crypto/keys.ts';
import { isCanonical } from '../crypto/schedule.ts';
import { fail } from '../errors/errors.ts';
import type { Random } from '../ports.ts';
import { encodeCommand, type Command } from '../sealed/messages.ts';
import { encodeHeader, filesKeyId, UPDATE_BYTES, UPDATE_LIMITS } from './format.ts';
import { entryKey, entryTag, entryTagKey, FrameChain, frameHash, sealEntry, sealFrame } from './keys.ts';
import type { EntryContent, FileNames } from './keys.ts';
import { checkUpdatePlan, type UpdatePlan } from './update-plan.ts';

/** A device a file is sealed for. */
export interface Recipient {
  /** 12 bytes. */
  readonly uid: Uint8Array;
  /** D_f, 32 bytes, as its enrolment proved it. */
  readonly devicePublic: Uint8Array;
}

export interface UpdateContent {
  readonly plan: UpdatePlan;
  /** ERASE and IMAGE in the order of docs/protocol.md §9, then FINAL and END. */
  readonly commands: readonly Command[];
  /** The root over all ranges with the boot words in place, 64 bytes. */
  readonly root: Uint8Array;
}

export interface SealOptions {
  readonly filesKey: ExchangeKeyPair<'files'>;
  readonly recipients: readonly Recipient[];
  readonly random: Random;
  readonly exchange: ExchangeMany;
}

/**
 * The whole file. Draws, in this order: e 32, the content key 32, 160 bytes for each padded entry, 6 for each place of
 * the shuffle.
 * @throws BF-UPDATE-RECIPIENTS when there are none or too many, one twice, or one with a key no device could have made;
 *   BF-UPDATE-MALFORMED for a plan that is none of a file
 */
export function sealUpdate(content: UpdateContent, options: SealOptions): Uint8Array {
  const { filesKey, recipients, random } = options;
  checkUpdatePlan(content.plan);
  checkRecipients(recipients, filesKey.publicKey);
  const ephemeral = exchangeKeyPair('files', random);
  const contentKey = random.bytes(UPDATE_BYTES.contentKey);
  const entriesLog2 = Math.ceil(Math.log2(recipients.length));
  const frames = sealFrames(content.commands, contentKey);
  const header = encodeHeader({
    entriesLog2,
    frames: frames.length,
    filesKeyId: filesKeyId(filesKey.publicKey),
    ephemeral: ephemeral.publicKey,
    plan: content.plan,
  });
  const names = { headerHash: sha512(header), ephemeral: ephemeral.publicKey };
  const entry = { contentKey, firstFrame: frameHash(frames[0] as Uint8Array), root: content.root };
  const entries = sealEntries(entry, names, ephemeral, options);
  for (let n = entries.length; n < 2 ** entriesLog2; n++) entries.push(random.bytes(UPDATE_BYTES.entry));
  wipe(ephemeral.secretKey, contentKey);
  return concat(header, ...shuffled(entries, random), ...frames.map(withLength));
}

/** From the last to the first: each frame ends with the hash of the next, the last one with zeros. */
function sealFrames(commands: readonly Command[], contentKey: Uint8Array): Uint8Array[] {
  assertInteger(commands.length, 'frames', 1, UPDATE_LIMITS.frames);
  const chain = new FrameChain(contentKey);
  const keys = commands.map(() => chain.next());
  chain.wipe();
  const frames: Uint8Array[] = [];
  let next: Uint8Array = new Uint8Array(UPDATE_BYTES.frameHash);
  for (const [index, command] of [...commands.entries()].reverse()) {
    const plaintext = concat(encodeCommand(command), next);
    const frame = sealFrame(keys[index] as (typeof keys)[number], plaintext);
    wipe(plaintext);
    next = frameHash(frame);
    frames.push(frame);
  }
  return frames.reverse();
}

function sealEntries(
  content: EntryContent,
  names: FileNames,
  ephemeral: ExchangeKeyPair<'files'>,
  { filesKey, recipients, exchange }: SealOptions,
): Uint8Array[] {
  const agree = exchange([ephemeral.secretKey, filesKey.secretKey]);
  return recipients.map(({ uid, devicePublic }) => {
    const device = { filesPublic: filesKey.publicKey, devicePublic, uid };
    const [once, own] = agree(devicePublic) as [Uint8Array, Uint8Array];
    const tagKey = entryTagKey(own, device);
    const key = entryKey([once, own], device, names);
    const entry = concat(entryTag(tagKey, names.headerHash, uid), sealEntry(key, content));
    wipe(once, own, tagKey, key);
    return entry;
  });
}

function checkRecipients(recipients: readonly Recipient[], filesPublic: Uint8Array): void {
  const most = 2 ** UPDATE_LIMITS.entriesLog2;
  if (recipients.length === 0) throw fail('BF-UPDATE-RECIPIENTS', 'none');
  if (recipients.length > most) {
    throw fail('BF-UPDATE-RECIPIENTS', `${recipients.length}; one file has room for ${most}`);
  }
  const seen = new Set<string>();
  for (const { uid, devicePublic } of recipients) {
    const name = toHex(uid);
    if (seen.has(name)) throw fail('BF-UPDATE-RECIPIENTS', `${name} twice`);
    seen.add(name);
    const isOurs = equalBytes(devicePublic, filesPublic);
    if (isOurs || isZero(devicePublic) || !isCanonical(devicePublic)) {
      throw fail('BF-UPDATE-RECIPIENTS', `the key of ${name} is none a device could have made`);
    }
  }
}

/** Every order equally likely, but for one part in 2^31 (48 bits a draw, at most 2^16 places). */
function shuffled(entries: readonly Uint8Array[], random: Random): Uint8Array[] {
  const order = [...entries];
  const draws = random.bytes(6 * order.length);
  for (let last = order.length - 1; last > 0; last--) {
    const draw = draws.subarray(6 * last, 6 * last + 6).reduce((sum, byte) => 256 * sum + byte, 0);
    const chosen = Math.floor((draw / 2 ** 48) * (last + 1));
    [order[last], order[chosen]] = [order[chosen] as Uint8Array, order[last] as Uint8Array];
  }
  return order;
}

function withLength(frame: Uint8Array): Uint8Array {
  return new Writer().u16(frame.length).bytes(frame).finish();
}
