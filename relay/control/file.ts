// Edge: control from a tenants file, read at the start and again whenever the operator says so
// (`blindflash relay`: SIGHUP).
import { readFile } from 'node:fs/promises';
import { fail } from '../../shared/errors/errors.ts';
import { isSmallOrderKey } from '../../shared/platform/node/verify-signature.ts';
import { parseTenants } from '../core/tenants.ts';
import type { Control, Decisions } from './control.ts';

export class FileControl implements Control {
  onChange: () => void = () => {};
  readonly #path: string;
  #decisions: Decisions;

  private constructor(path: string, decisions: Decisions) {
    this.#path = path;
    this.#decisions = decisions;
  }

  /** @throws (rejects) BF-RELAY-CONFIG when the file cannot be read or used. */
  static async open(path: string): Promise<FileControl> {
    return new FileControl(path, await readDecisions(path));
  }

  get decisions(): Decisions {
    return this.#decisions;
  }

  /** Reads the file again. @throws (rejects) BF-RELAY-CONFIG; what held before goes on holding. */
  async reload(): Promise<void> {
    this.#decisions = await readDecisions(this.#path);
    this.onChange();
  }
}

async function readDecisions(path: string): Promise<Decisions> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fail('BF-RELAY-CONFIG', `cannot read ${path}`, error);
  });
  return { findTenant: parseTenants(text, isSmallOrderKey) };
}
