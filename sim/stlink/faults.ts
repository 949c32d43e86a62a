// Troubles a test can order from the virtual probe. Counters count down per command they strike.

export class ProbeFaults {
  /** That many next commands that need the wire report WAIT instead of doing their work. */
  waits = 0;
  /** That many next replies carry noise instead of bytes that mean something. */
  garbage = 0;
  /** That many next replies are one byte short. */
  short = 0;
  /** That many next commands are swallowed: no work, no reply. */
  mute = 0;
  /** That many next IN transfers end with a stall (USB face only). */
  stalls = 0;

  /** Takes one strike of `kind` if any is left. */
  take(kind: 'waits' | 'garbage' | 'short' | 'mute' | 'stalls'): boolean {
    if (this[kind] <= 0) return false;
    this[kind]--;
    return true;
  }

  /** Damages a reply as ordered; an empty one stays as it is. */
  spoil(reply: Uint8Array): Uint8Array {
    if (reply.length === 0) return reply;
    if (this.take('garbage')) return reply.map((byte, index) => (byte ^ 0x5a) + 31 * index);
    return this.take('short') ? reply.slice(0, -1) : reply;
  }
}
