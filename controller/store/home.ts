// Edge: the vendor's folder: --home, else BLINDFLASH_HOME, else ~/.blindflash.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Paths below the vendor's folder. */
export interface Home {
  readonly folder: string;
  readonly keys: string;
  readonly jobs: string;
  readonly receipts: string;
  readonly invites: string;
}

export function homeFolder(given: string | undefined): Home {
  const folder = given ?? process.env['BLINDFLASH_HOME'] ?? join(homedir(), '.blindflash');
  return {
    folder,
    keys: join(folder, 'keys.json'),
    jobs: join(folder, 'jobs'),
    receipts: join(folder, 'receipts'),
    invites: join(folder, 'invites'),
  };
}
