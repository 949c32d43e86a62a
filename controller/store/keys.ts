// The vendor's long-term keys: one pair for each purpose, and the form in which they are kept. Pure; the file and its
// passphrase are controller/store/keys-file.ts.
import nacl from 'tweetnacl';
import { z } from 'zod';
import { homeKey, type HomeKey } from './sealed-text.ts';
import { concat, copyOf, equalBytes, fromHex, toHex, wipe } from '../../shared/codec/bytes.ts';
import { parseJson } from '../../shared/codec/json.ts';
import { deriveKey } from '../../shared/crypto/hash.ts';
import { exchangeKeyPairFrom, signingKeyPairFrom } from '../../shared/crypto/keys.ts';
import type { ExchangeKeyPair, SigningKeyPair } from '../../shared/crypto/keys.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Random } from '../../shared/ports.ts';
import { vendorFingerprint } from '../../shared/tunnel/invite.ts';

export interface VendorKeys {
  /** Signs tickets; its public half is what a relay operator enters. */
  readonly tenant: SigningKeyPair<'tenant'>;
  /** Signs receipts. */
  readonly receipt: SigningKeyPair<'receipt'>;
  /** The vendor's end of sealed sessions. */
  readonly sealed: ExchangeKeyPair<'sealed'>;
  /** Seals update files (docs/update-files.md); derived from the home key, so that keys of before have it, too. */
  readonly files: ExchangeKeyPair<'files'>;
  /** Seals unfinished jobs and open invites (controller/store/sealed-text.ts). */
  readonly home: HomeKey;
}

/** V of these keys: what invites lead to and people compare; 32 bytes (docs/protocol.md §3). */
export function vendorOf({ sealed, receipt }: Pick<VendorKeys, 'sealed' | 'receipt'>): Uint8Array {
  return vendorFingerprint(sealed.publicKey, receipt.publicKey);
}

/** Cost of turning a passphrase into a key: scrypt's N (log2), r, p. */
export interface ScryptCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}
/** scrypt: 32 bytes from passphrase, salt and cost (an edge has node:crypto's). */
export type Kdf = (passphrase: string, salt: Uint8Array, cost: ScryptCost) => Promise<Uint8Array>;

const COST = { logN: 17, r: 8, p: 1 } as const satisfies ScryptCost;
/** Costs a file may ask for: not too cheap to resist, not so dear that reading it is an attack. */
const COST_BOUNDS = { logN: { least: 15, most: 20 }, r: 8, p: 1 } as const;
const SECRETS_BYTES = 128;
const VERSION = 'blindflash keys 2';
const OLD_VERSION = 'blindflash keys 1';

/** Three fresh pairs, a home key, and the files pair that follows from it. */
export function makeKeys(random: Random): VendorKeys {
  const secrets = random.bytes(SECRETS_BYTES);
  const keys = keysFrom(secrets);
  wipe(secrets);
  return keys;
}

/** tenant seed 32 ‖ receipt seed 32 ‖ sealed secret 32 ‖ home key 32. */
function keysFrom(secrets: Uint8Array): VendorKeys {
  const home = homeKey(copyOf(secrets, 96, 128));
  return {
    tenant: signingKeyPairFrom('tenant', copyOf(secrets, 0, 32)),
    receipt: signingKeyPairFrom('receipt', copyOf(secrets, 32, 64)),
    sealed: exchangeKeyPairFrom('sealed', copyOf(secrets, 64, 96)),
    files: filesPair(home),
    home,
  };
}

/** s_f = HKDF-Expand(home key, "blindflash/2 files secret", 32): the home key is not to be found from it. */
function filesPair(home: HomeKey): ExchangeKeyPair<'files'> {
  const secret = deriveKey(home, 'blindflash/2 files secret');
  const pair = exchangeKeyPairFrom('files', secret);
  wipe(secret);
  return pair;
}

function secretsOf(keys: VendorKeys): Uint8Array {
  const { tenant, receipt, sealed, home } = keys;
  return concat(tenant.secretKey.subarray(0, 32), receipt.secretKey.subarray(0, 32), sealed.secretKey, home);
}

// ── as JSON ───────────────────────────────────────────────────────────────────────────────────────────────────────

const hex = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * length}}$`));
const KeysSchema = z.strictObject({
  version: z.literal(VERSION),
  /** Keys made before there were update files do not name the files key. */
  public: z.strictObject({ tenant: hex(32), receipt: hex(32), sealed: hex(32), files: hex(32).optional() }),
  secret: z.union([
    z.strictObject({ protection: z.literal('none'), keys: hex(SECRETS_BYTES) }),
    z.strictObject({
      protection: z.literal('scrypt secretbox'),
      logN: z.int().min(COST_BOUNDS.logN.least).max(COST_BOUNDS.logN.most),
      r: z.literal(COST_BOUNDS.r),
      p: z.literal(COST_BOUNDS.p),
      salt: hex(32),
      nonce: hex(24),
      box: hex(SECRETS_BYTES + 16),
    }),
  ]),
});
/** Keys of protocol 1 are not read: they have no home key. */
const OldSchema = z.looseObject({ version: z.literal(OLD_VERSION) });
type KeysFile = z.infer<typeof KeysSchema>;

/** The file form, sealed with the passphrase; undefined leaves the secrets in clear (the caller has warned). */
export async function formatKeys(
  keys: VendorKeys,
  passphrase: string | undefined,
  kdf: Kdf,
  random: Random,
): Promise<string> {
  const secrets = secretsOf(keys);
  const file: KeysFile = {
    version: VERSION,
    public: publicHalves(keys),
    secret:
      passphrase === undefined
        ? { protection: 'none', keys: toHex(secrets) }
        : await sealSecrets(secrets, passphrase, kdf, random),
  };
  wipe(secrets);
  return `${JSON.stringify(file, undefined, 1)}\n`;
}

async function sealSecrets(secrets: Uint8Array, passphrase: string, kdf: Kdf, random: Random) {
  const [salt, nonce] = [random.bytes(32), random.bytes(24)];
  const key = await kdf(passphrase, salt, COST);
  const box = nacl.secretbox(secrets, nonce, key);
  wipe(key);
  return {
    protection: 'scrypt secretbox' as const,
    ...COST,
    salt: toHex(salt),
    nonce: toHex(nonce),
    box: toHex(box),
  };
}

/** True if the file asks for a passphrase. Throws BF-KEYS-OLD, BF-KEYS-DAMAGED. */
export function needsPassphrase(text: string): boolean {
  return parse(text).secret.protection !== 'none';
}

/** The public halves, which need no passphrase; hexadecimal. Throws BF-KEYS-OLD, BF-KEYS-DAMAGED. */
export function publicKeysOf(text: string): KeysFile['public'] {
  return parse(text).public;
}

export function publicHalves(keys: VendorKeys) {
  return {
    tenant: toHex(keys.tenant.publicKey),
    receipt: toHex(keys.receipt.publicKey),
    sealed: toHex(keys.sealed.publicKey),
    files: toHex(keys.files.publicKey),
  };
}

/** The keys of a file. Throws BF-KEYS-PASSPHRASE for a wrong (or missing) passphrase, BF-KEYS-OLD, BF-KEYS-DAMAGED. */
export async function parseKeys(text: string, passphrase: string | undefined, kdf: Kdf): Promise<VendorKeys> {
  const file = parse(text);
  const secrets = await openSecrets(file.secret, passphrase, kdf);
  const keys = keysFrom(secrets);
  wipe(secrets);
  const halves = publicHalves(keys);
  for (const name of ['tenant', 'receipt', 'sealed', 'files'] as const) {
    if (!equalBytes(fromHex(halves[name]), fromHex(file.public[name] ?? halves[name]))) {
      throw fail('BF-KEYS-DAMAGED', `the ${name} key is not a pair`);
    }
  }
  return keys;
}

async function openSecrets(secret: KeysFile['secret'], passphrase: string | undefined, kdf: Kdf): Promise<Uint8Array> {
  if (secret.protection === 'none') return fromHex(secret.keys);
  if (passphrase === undefined) throw fail('BF-KEYS-PASSPHRASE', 'none was given');
  const key = await kdf(passphrase, fromHex(secret.salt), secret);
  const opened = nacl.secretbox.open(fromHex(secret.box), fromHex(secret.nonce), key);
  wipe(key);
  if (opened === null) throw fail('BF-KEYS-PASSPHRASE');
  return opened;
}

function parse(text: string): KeysFile {
  const value = parseJson(text, 'BF-KEYS-DAMAGED', 'the file');
  if (OldSchema.safeParse(value).success) throw fail('BF-KEYS-OLD');
  const checked = KeysSchema.safeParse(value);
  if (!checked.success) throw fail('BF-KEYS-DAMAGED', checked.error.issues[0]?.path.join('.'));
  return checked.data;
}
