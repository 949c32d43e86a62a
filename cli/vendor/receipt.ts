// `blindflash receipt`: check a receipt offline, list those kept here. Says what a receipt proves and what not.
import { readFile } from 'node:fs/promises';
import { homeFolder } from '../../controller/store/home.ts';
import { Ledger } from '../../controller/store/ledger.ts';
import { LedgerJobStore } from '../../controller/store/ledger-job-store.ts';
import { readKeyText } from '../../controller/store/keys-file.ts';
import { publicKeysOf } from '../../controller/store/keys.ts';
import { digestsFor, saltedDigest } from '../../controller/plan/receipt-image.ts';
import type { ImageFormat } from '../../controller/image/detect.ts';
import { bootChoice, loadImage, type ImageArguments } from './options.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { fromHex, toHex } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { parseSigned, verifyCustomerCopy, verifyReceipt } from '../../shared/plan/receipt.ts';
import { quotable } from '../../shared/codec/foreign-text.ts';
import { receiptStatement } from '../../shared/plan/modes.ts';
import type { CustomerReceipt, Receipt, SignedText } from '../../shared/plan/receipt.ts';
import { print, printJson } from '../terminal/output.ts';
import { timesText } from '../terminal/times.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';

interface ReceiptListArguments {
  readonly home?: string | undefined;
  readonly 'log-level'?: LogLevel | undefined;
  readonly json?: boolean | undefined;
}

interface ReceiptFileArguments extends ReceiptListArguments {
  readonly file: string;
  readonly key?: string | undefined;
  readonly 'any-key'?: boolean | undefined;
  readonly image?: readonly string[] | undefined;
  readonly base?: string | undefined;
  readonly format?: ImageFormat | undefined;
  readonly skip?: string | undefined;
  readonly boot?: string | undefined;
}

export async function verifyReceiptFile(args: ReceiptFileArguments): Promise<void> {
  const trusted = await expectedKey(args);
  const receipt = verifyAny(parseSigned(await readText(args.file)), trusted?.key);
  const imageIs = args.image === undefined ? undefined : await sameImage(receipt, { ...args, image: args.image });
  if (args.json === true) {
    printJson({ event: 'receipt', valid: true, keyExpected: trusted !== undefined, receipt, imageIs });
    return;
  }
  print(...verdict(receipt, trusted), ...(imageIs === undefined ? [] : [IMAGE_IS_TEXT]));
}

const IMAGE_IS_TEXT = 'The image is the one the receipt is for: its digest is the same.';

/** @throws BF-IMAGE-RECEIPT when it is for another; BF-USAGE for a customer's copy whose salt is not known here */
async function sameImage(
  receipt: Receipt | CustomerReceipt,
  args: ReceiptFileArguments & ImageArguments,
): Promise<'same'> {
  const chip = requireChip(receipt.devId);
  const digests = digestsFor(receipt, await loadImage(args, chip), chip, bootChoice(args.boot));
  const isCopy = 'saltedDigest' in receipt;
  const salt = isCopy ? await saltOf(receipt, args.home) : undefined;
  const wanted = isCopy ? receipt.saltedDigest : receipt.imageDigest;
  if (digests.some((digest) => (salt === undefined ? digest : saltedDigest(salt, digest)) === wanted)) return 'same';
  const why = digests.length > 0 ? 'its digest is another' : 'no plan for it has as many ranges and bytes';
  throw fail('BF-IMAGE-RECEIPT', why);
}

/** A customer's copy names no salt; the vendor's receipt of the same job and unit does. */
async function saltOf({ job, uid }: CustomerReceipt, home: string | undefined): Promise<string> {
  const signed = await withStore(home, undefined, (store) => store.receipt(job, uid));
  if (signed === undefined) {
    throw fail(
      'BF-USAGE',
      'a customer’s copy hides the digest; it is compared where the vendor’s own receipt of the job is',
    );
  }
  return verifyReceipt(signed, verifyEd25519, undefined).salt;
}

/** A key that a receipt must be signed with, and who says so. */
interface TrustedKey {
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly source: string;
}

/** The key a receipt must be signed with; undefined only for --any-key. @throws BF-USAGE when none is known */
async function expectedKey({ key, home, ...args }: ReceiptFileArguments): Promise<TrustedKey | undefined> {
  if (args['any-key'] === true) return undefined;
  const expected =
    key === undefined ? await ownKey(home) : { key: fromHex(key, 'BF-USAGE', '--key'), source: 'named with --key' };
  if (expected === undefined) {
    throw fail('BF-USAGE', 'whose receipt is it? Name the vendor’s receipt key with --key, or say --any-key');
  }
  if (expected.key.length !== 32) throw fail('BF-USAGE', '--key has 64 hexadecimal digits');
  return expected;
}

export async function listReceipts(args: ReceiptListArguments): Promise<void> {
  const { jobs, receipts } = await withStore(args.home, args['log-level'], async (store) => {
    const files: string[] = [];
    for (const key of await store.receipts()) files.push(await store.receiptFile(key));
    return { jobs: await store.jobIds(), receipts: files };
  });
  if (args.json === true) {
    printJson({ event: 'list', jobs, receipts });
    return;
  }
  const lines = [...jobs.map((id) => `job      ${id}`), ...receipts.map((file) => `receipt  ${file}`)];
  print(...(lines.length === 0 ? ['nothing here yet'] : lines));
}

/** A vendor's receipt or a customer's copy; the error of the one it claims to be. */
function verifyAny(signed: SignedText, key: Uint8Array | undefined): Receipt | CustomerReceipt {
  if (/^\{"version":"blindflash (customer )?receipt 1"/.test(signed.text)) {
    throw fail('BF-JOB-RECEIPT', 'a receipt of version 1, which only version 0.1 of Blindflash checks');
  }
  const isCopy = signed.text.startsWith('{"version":"blindflash customer receipt');
  return (isCopy ? verifyCustomerCopy : verifyReceipt)(signed, verifyEd25519, key);
}

/** How the sectors came to be erased. */
function erasedText({ sectors, blank, atOnce }: Receipt['erase']): string {
  const left = blank === 0 ? '' : `, ${blank} left because they read blank`;
  return `${sectors} ${sectors === 1 ? 'sector' : 'sectors'}${atOnce ? ', all at once' : ''}${left}`;
}

/** What is said of a receipt whose signature is right. */
export function verdict(receipt: Receipt | CustomerReceipt, trusted: TrustedKey | undefined): string[] {
  const whose =
    trusted === undefined
      ? `signed with ${receipt.vendorKey}; whether that is the vendor’s key you have to know from elsewhere (--key)`
      : `signed with the key ${toHex(trusted.key)}, ${trusted.source}`;
  const digest = 'imageDigest' in receipt ? receipt.imageDigest : receipt.saltedDigest;
  return [
    `The signature is right: ${whose}.`,
    `outcome  ${receipt.outcome}, ${receipt.sealedAt}, mode ${receipt.mode}`,
    `job      ${receipt.job}`,
    `plan     ${receipt.planHash}`,
    `unit     ${receipt.uid} as reported`,
    `code     ${receipt.code}`,
    `equal    ${receipt.sectorsByEqual} sectors were not written and rest on the answer “equal”`,
    `erased   ${erasedText(receipt.erase)}`,
    `time     ${timesText(receipt.time)}`,
    `${'imageDigest' in receipt ? 'digest ' : 'salted '}  ${digest ?? 'none'}`,
    proofLine(receipt),
  ];
}

/** What a receipt of its mode says; whoever signs may have written something else. */
function proofLine({ mode, source, statement }: Receipt | CustomerReceipt): string {
  const ours = [false, true].some((once) => statement === receiptStatement(mode, source, once));
  return ours
    ? `What it proves: ${statement}`
    : `Its signer says, in words that are not this version’s: “${quotable(statement)}”`;
}

/** The vendor checking his own receipts need not type his key. */
async function ownKey(home: string | undefined): Promise<TrustedKey | undefined> {
  try {
    const { keys } = homeFolder(home);
    const key = fromHex(publicKeysOf(await readKeyText(keys)).receipt);
    return { key, source: `which is this computer’s own (${keys}); name another with --key` };
  } catch (error) {
    if (isBlindflashError(error)) return undefined;
    throw error;
  }
}

/** The store of a folder, for as long as `work` takes. */
async function withStore<T>(
  home: string | undefined,
  level: LogLevel | undefined,
  work: (store: LedgerJobStore) => Promise<T>,
): Promise<T> {
  const ledger = new Ledger({ home: homeFolder(home), log: createLog(level ?? 'silent', 'controller') });
  try {
    return await work(new LedgerJobStore(ledger, { homeKey: noKey, random: systemRandom }));
  } finally {
    await ledger.close();
  }
}

/** Lists and receipts are read without keys. */
function noKey(): Promise<never> {
  return Promise.reject(fail('BF-INTERNAL-ARGUMENT', 'a list opens no job'));
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw fail('BF-USAGE-FILE', file, error);
  });
}
