// Rooms whose agent's side was revoked, each until a time; a bounded number of them. Pure; time is an argument.
// Spec: docs/protocol.md §2, REVOKE.

interface Revoked {
  readonly roomKey: string;
  /** Whole seconds since 1970, as all times here. */
  readonly until: number;
}

export class RevokedRooms {
  readonly #most: number;
  readonly #byKey = new Map<string, Revoked>();
  /** The same ones, those that end soonest first. */
  readonly #byEnd: Revoked[] = [];

  /** @param most how many are remembered at one time; those that end soonest, or have ended, go first. */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Remembers a room, named by `roomKeyOf`, up to `until`; once more only lengthens.
   */
  add(roomKey: string, until: number): void {
    const before = this.#byKey.get(roomKey);
    if (before !== undefined && before.until >= until) return;
    if (before !== undefined) this.#byEnd.splice(this.#byEnd.indexOf(before, this.#placeOf(before.until)), 1);
    const revoked = { roomKey, until };
    this.#byKey.set(roomKey, revoked);
    this.#byEnd.splice(this.#placeOf(until), 0, revoked);
    const soonest = this.#byEnd.length > this.#most ? this.#byEnd.shift() : undefined;
    if (soonest !== undefined) this.#byKey.delete(soonest.roomKey);
  }

  /** Whether the room is among them at `now`. */
  holds(roomKey: string, now: number): boolean {
    return (this.#byKey.get(roomKey)?.until ?? 0) > now;
  }

  /** Where the first one stands that ends at `until` or later. */
  #placeOf(until: number): number {
    let [from, to] = [0, this.#byEnd.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#byEnd[middle]!.until < until) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
