// Edge: control from a tenants file, read at the start and again whenever the operator says so
// (`blindflash relay`: SIGHUP).
import { readFile } from 'node:fs/promises';
import { fail } from '../../shared/errors/errors.ts';
import { isSmallOrderKey } from '../../shared/platform/node/verify-signature.ts';
import { parseTenants } from '../core/tenants.ts';
import type { Control, Documents } from './control.ts';

export class FileControl implements Control {
  onChange: () => void = () => {};
  readonly #path: string;
  #documents: Documents;

  private constructor(path: string, documents: Documents) {
    this.#path = path;
    this.#documents = documents;
  }

  /** @throws (rejects) BF-RELAY-CONFIG when the file cannot be read or used. */
  static async open(path: string): Promise<FileControl> {
    return new FileControl(path, await readDocuments(path));
  }

  get documents(): Documents {
    return this.#documents;
  }

  /** Reads the file again. @throws (rejects) BF-RELAY-CONFIG; what held before goes on holding. */
  async reload(): Promise<void> {
    this.#documents = await readDocuments(this.#path);
    this.onChange();
  }
}

async function readDocuments(path: string): Promise<Documents> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fail('BF-RELAY-CONFIG', `cannot read ${path}`, error);
  });
  return { findTenant: parseTenants(text, isSmallOrderKey) };
}
