// Edge: the vendor's folder: --home, else BLINDFLASH_HOME, else ~/.blindflash.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Paths below the vendor's folder. */
export interface Home {
  readonly folder: string;
  readonly keys: string;
  /** The ledger: jobs, invites, receipts. */
  readonly ledger: string;
  /** Receipts as files to pass on. */
  readonly receipts: string;
  /** Locks of jobs that are under way; a file for each job in a home from before the ledger. */
  readonly jobs: string;
  /** A file for each open invite in a home from before the ledger. */
  readonly invites: string;
  /** Where files lie that the ledger has taken over. */
  readonly takenOver: string;
}

export function homeFolder(given: string | undefined): Home {
  const folder = given ?? process.env['BLINDFLASH_HOME'] ?? join(homedir(), '.blindflash');
  return {
    folder,
    keys: join(folder, 'keys.json'),
    ledger: join(folder, 'ledger.db'),
    receipts: join(folder, 'receipts'),
    jobs: join(folder, 'jobs'),
    invites: join(folder, 'invites'),
    takenOver: join(folder, 'taken-over'),
  };
}
