// The tenants a relay knows: Ed25519 public keys with a name and limits. Spec: docs/protocol.md §2.
// The file is JSON: [{"name": "acme", "key": "<hex or base64url>", "maxLinks": 20, "capKiB": 65536}, …]
import { parseJson } from '../../shared/codec/json.ts';
import { z } from 'zod';
import { fromBase64url, fromHex, toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';

export interface Tenant {
  /** For logs and counters; not the key. */
  readonly name: string;
  /** Links of this tenant at one time. */
  readonly maxLinks: number;
  /** Upper bound of every ticket's cap, KiB. */
  readonly capKiB: number;
}

/** Finds the tenant of a 32-byte public key. */
export type FindTenant = (key: Uint8Array) => Tenant | undefined;

const NO_LIMIT = { maxLinks: 1_000_000, capKiB: 0xffff_ffff } as const;

const row = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  key: z.string().regex(/^([0-9a-fA-F]{64}|[A-Za-z0-9_-]{43})$/),
  maxLinks: z.int().min(1).max(NO_LIMIT.maxLinks).optional(),
  capKiB: z.int().min(1).max(NO_LIMIT.capKiB).optional(),
});
const file = z.array(row).min(1).max(10_000);

/**
 * Reads a tenants file.
 * @param isWeakKey refuses keys nobody can own (`isSmallOrderKey`).
 * @throws BF-RELAY-CONFIG naming the first thing that is wrong; nothing of a wrong file is used.
 */
export function parseTenants(text: string, isWeakKey: (key: Uint8Array) => boolean): FindTenant {
  const byKey = new Map<string, Tenant>();
  const names = new Set<string>();
  for (const entry of parseRows(text)) {
    const key = parseKey(entry.key);
    if (isWeakKey(key)) throw fail('BF-RELAY-CONFIG', `the key of tenant ${entry.name} is not a usable key`);
    if (byKey.has(toHex(key)) || names.has(entry.name)) {
      throw fail('BF-RELAY-CONFIG', `tenant ${entry.name}: its name or its key occurs twice`);
    }
    names.add(entry.name);
    byKey.set(toHex(key), {
      name: entry.name,
      maxLinks: entry.maxLinks ?? NO_LIMIT.maxLinks,
      capKiB: entry.capKiB ?? NO_LIMIT.capKiB,
    });
  }
  return (key) => byKey.get(toHex(key));
}

/** Admits every tenant under one name; only for a relay nobody else can reach. */
export const everyTenant: FindTenant = () => ({ name: 'anybody', ...NO_LIMIT });

function parseRows(text: string): z.infer<typeof file> {
  const parsed = file.safeParse(parseJson(text, 'BF-RELAY-CONFIG', 'the tenants file'));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fail('BF-RELAY-CONFIG', `tenants file, at ${issue?.path.join('.') || 'the top'}: ${issue?.message}`);
}

function parseKey(text: string): Uint8Array {
  return text.length === 64
    ? fromHex(text, 'BF-RELAY-CONFIG', 'a tenant key')
    : fromBase64url(text, 'BF-RELAY-CONFIG', 'a tenant key');
}
