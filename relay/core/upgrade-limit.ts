// How many WebSocket upgrades one address may ask for in a minute: a bucket that refills steadily. Pure; time is an
// argument.

interface Bucket {
  tokens: number;
  at: number;
}

export class UpgradeLimit {
  readonly #perMinute: number;
  readonly #addresses: number;
  /** In order of last use, so that the longest unused is forgotten first. */
  readonly #buckets = new Map<string, Bucket>();

  /** @param addresses how many addresses are remembered at one time. */
  constructor(perMinute: number, addresses: number) {
    this.#perMinute = perMinute;
    this.#addresses = addresses;
  }

  /** Takes one token of `address` at `now` (ms); false when there is none. */
  admit(address: string, now: number): boolean {
    const bucket = this.#buckets.get(address) ?? { tokens: this.#perMinute, at: now };
    const refilled = bucket.tokens + ((now - bucket.at) * this.#perMinute) / 60_000;
    const tokens = Math.min(this.#perMinute, refilled);
    const admitted = tokens >= 1;
    this.#remember(address, { tokens: admitted ? tokens - 1 : tokens, at: now });
    return admitted;
  }

  #remember(address: string, bucket: Bucket): void {
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > this.#addresses && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
