// Port: one exchange with an ST-LINK, whatever carries it (USB, stlink-server). Facts: docs/reference/stlink.md §2.1
// (framing).

/** Who is at the other end, as far as USB (or stlink-server) tells without asking the probe's firmware. */
export interface StlinkIdentity {
  readonly vendorId: number;
  readonly productId: number;
  /** Serial number as printed: 24 upper-case hex digits for genuine probes; undefined if unreadable. */
  readonly serial: string | undefined;
  /** `usb` or `tcp:HOST:PORT`. */
  readonly path: string;
}

/** Carries 16-byte commands. One exchange at a time; callers may overlap, the transport queues. */
export interface StlinkTransport {
  readonly identity: StlinkIdentity;
  /** Most bytes of one data phase: 6144 over USB, 1024 through an stlink-server of API 1. Valid after `open`. */
  readonly maxBlock: number;
  /** Makes ready for exchanges; leftovers of an earlier user are thrown away. */
  open(): Promise<void>;
  /**
   * Sends one 16-byte command with at most one data phase and returns exactly `replyLength` bytes.
   * @param deadlineMs whole exchange, milliseconds; after it the transport is bad until `reset()`.
   * @throws BF-PROBE-TIMEOUT, -UNPLUGGED, -GARBAGE (reply of another length), -BUSY, -PERMISSION, -SERVER, -CLOSED.
   */
  exchange(
    command: Uint8Array,
    dataOut: Uint8Array | undefined,
    replyLength: number,
    deadlineMs: number,
  ): Promise<Uint8Array>;
  /** Back to a clean pipe after trouble: close, open, drain. Does not touch the target. */
  reset(): Promise<void>;
  close(): Promise<void>;
}
