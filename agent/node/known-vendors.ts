// Edge: the vendors this computer has said yes to, by V (docs/protocol.md §3, §14). It says no more than that: whether
// the person at the keyboard has seen a fingerprint before.
import { join } from 'node:path';
import { z } from 'zod';
import { readOwned, writeOwned } from './owned-file.ts';

const FILE = 'vendors.json';
const LARGEST_BYTES = 256 * 1024;
/** The oldest go first. */
const MOST = 1000;

const FileSchema = z.strictObject({
  version: z.literal(2),
  vendors: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
});

export class KnownVendors {
  readonly #path: string;

  /** @param folder the agent's own */
  constructor(folder: string) {
    this.#path = join(folder, FILE);
  }

  /** @param vendor V, 64 hexadecimal digits @throws BF-KEYS-PERMISSIONS */
  has(vendor: string): boolean {
    return this.#read().includes(vendor);
  }

  add(vendor: string): void {
    const others = this.#read().filter((known) => known !== vendor);
    writeOwned(this.#path, JSON.stringify({ version: 2, vendors: [...others, vendor].slice(-MOST) }));
  }

  /** A file that is not whole knows nobody. */
  #read(): readonly string[] {
    const text = readOwned(this.#path, LARGEST_BYTES);
    if (text === undefined) return [];
    try {
      return FileSchema.safeParse(JSON.parse(text)).data?.vendors ?? [];
    } catch {
      return [];
    }
  }
}
