// The entries of the device registry in the vendor's ledger. UID and keys are read by SQLite out of the signed text
// itself, so that no column can say something else.
import type { Ledger } from './ledger.ts';
import type { DeviceStore, StoredEntry } from '../registry/registry.ts';
import { toHex, utf8 } from '../../shared/codec/bytes.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import type { SignedText } from '../../shared/crypto/signed-text.ts';

const ADD = `INSERT INTO device_entries (id, text, signature) SELECT ?, ?, ?
  WHERE NOT EXISTS (SELECT 1 FROM device_entries WHERE id = ?)`;
const FIND = 'SELECT uid, text, signature FROM device_entries WHERE uid >= ? AND uid < ? ORDER BY uid, rowid';
const OF_KEY = `SELECT uid FROM device_entries WHERE session_key = ?
  UNION SELECT uid FROM device_entries WHERE file_key = ?`;

export class LedgerDeviceStore implements DeviceStore {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  async entries(start: string): Promise<readonly StoredEntry[]> {
    // A letter behind all hexadecimal digits ends the range.
    const rows = (await this.#ledger.existing())?.all(FIND, start, `${start}g`) ?? [];
    return rows.map(({ uid, text, signature }) => ({
      uid: String(uid),
      text: String(text),
      signature: String(signature),
    }));
  }

  async uidsOfKey(publicKey: string): Promise<readonly string[]> {
    const rows = (await this.#ledger.existing())?.all(OF_KEY, publicKey, publicKey) ?? [];
    return rows.map(({ uid }) => String(uid));
  }

  async add(entries: readonly SignedText[]): Promise<number> {
    const database = await this.#ledger.database();
    return database.transaction(() => {
      let added = 0;
      for (const { text, signature } of entries) {
        const id = toHex(sha512(utf8(text))).slice(0, 32);
        added += database.run(ADD, id, text, signature, id);
      }
      return added;
    });
  }
}
