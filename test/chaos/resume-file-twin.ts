// The customer's resume file as a disk in memory: what outlives an agent of a chaos run.
import type { AgentMemory } from '../../agent/session/ports.ts';
import { psk } from '../../shared/crypto/keys.ts';
import type { VirtualProcess } from './process.ts';

/** What a resume file says. */
type Kept = Pick<AgentMemory, 'secrets' | 'consent' | 'loads' | 'stubLoaded' | 'lifted' | 'vendorKnown' | 'planted'>;

const NOTHING: Kept = {
  secrets: [],
  consent: undefined,
  loads: 0,
  stubLoaded: false,
  lifted: undefined,
  vendorKnown: false,
  planted: false,
};

/** What a disk of the customer keeps. */
export class ResumeFileTwin {
  #kept = NOTHING;

  get hasWayBack(): boolean {
    return this.#kept.secrets.length > 0;
  }

  /** The file as one process sees it: a dead one writes nothing. */
  seenBy(process: VirtualProcess): AgentMemory {
    let seen = this.#kept;
    const keep = (change: Partial<Kept>): void => {
      if (process.alive) this.#kept = seen = { ...seen, ...change };
    };
    return {
      get secrets() {
        return seen.secrets;
      },
      get consent() {
        return seen.consent;
      },
      get loads() {
        return seen.loads;
      },
      get stubLoaded() {
        return seen.stubLoaded;
      },
      get lifted() {
        return seen.lifted;
      },
      get vendorKnown() {
        return seen.vendorKnown;
      },
      get planted() {
        return seen.planted;
      },
      keepSecrets: (secrets) => keep({ secrets: secrets.map((secret) => psk(secret)) }),
      keepConsent: (consent) => keep({ consent, loads: 0, vendorKnown: true }),
      countLoad: () => keep({ loads: seen.loads + 1, stubLoaded: true }),
      noteLifted: (lifted) => keep({ lifted }),
      notePlanted: () => keep({ planted: true }),
      noteStubGone: () => keep({ stubLoaded: false }),
      forget: () => keep({ ...NOTHING, vendorKnown: seen.vendorKnown }),
    };
  }
}
