// How many messages that only tell something a controller takes from an agent (docs/protocol.md
// §6, "Which message when").
import { fail } from '../../shared/errors/errors.ts';
import type { Clock } from '../../shared/ports.ts';

const FLOOD_LIMITS = { inTunnel: 64, atOnce: 8, atOnceMs: 1000 } as const;

/** Counts SHEET and PROBLEM. */
export class FloodGuard {
  readonly #clock: Clock;
  #inTunnel = 0;
  /** When the latest came, `atOnce` of them at most. */
  #latest: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new tunnel. */
  opened(): void {
    this.#inTunnel = 0;
  }

  /** One has come. @throws BF-TUNNEL-FLOOD, from then on for every one of this tunnel */
  take(): void {
    const now = this.#clock.now();
    const [oldest] = this.#latest;
    const tooFast =
      this.#latest.length === FLOOD_LIMITS.atOnce && oldest !== undefined && now - oldest < FLOOD_LIMITS.atOnceMs;
    if (tooFast) this.#inTunnel = FLOOD_LIMITS.inTunnel;
    if (++this.#inTunnel > FLOOD_LIMITS.inTunnel) throw fail('BF-TUNNEL-FLOOD');
    this.#latest = [...this.#latest, now].slice(-FLOOD_LIMITS.atOnce);
  }
}
