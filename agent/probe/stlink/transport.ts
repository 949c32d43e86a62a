// Port: one exchange with an ST-LINK, and the slice of the WebUSB surface a USB transport may stand on.
// Facts: stlink sheet §2.1 (framing), §7 (WebUSB surface).

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

/** One endpoint as a WebUSB descriptor shows it. */
export interface UsbEndpointLike {
  readonly endpointNumber: number;
  readonly direction: 'in' | 'out';
  readonly type: string;
  readonly packetSize: number;
}

/** One configuration as a WebUSB descriptor shows it; `alternate` is the setting in force. */
export interface UsbConfigurationLike {
  readonly configurationValue: number;
  readonly interfaces: readonly {
    readonly interfaceNumber: number;
    readonly alternate: { readonly endpoints: readonly UsbEndpointLike[] };
  }[];
}

export interface UsbControlSetup {
  readonly requestType: 'standard' | 'class' | 'vendor';
  readonly recipient: 'device' | 'interface' | 'endpoint' | 'other';
  readonly request: number;
  readonly value: number;
  readonly index: number;
}

export interface UsbInResult {
  readonly status?: string;
  readonly data?: DataView;
}

export interface UsbOutResult {
  readonly status?: string;
  readonly bytesWritten: number;
}

/** The part of a WebUSB `USBDevice` we use: the same in Chromium, in npm `usb` and in the virtual probe. */
export interface UsbDeviceLike {
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber?: string | null | undefined;
  readonly configuration: UsbConfigurationLike | null | undefined;
  open(): Promise<void>;
  close(): Promise<void>;
  reset(): Promise<void>;
  selectConfiguration(value: number): Promise<void>;
  claimInterface(interfaceNumber: number): Promise<void>;
  releaseInterface(interfaceNumber: number): Promise<void>;
  transferOut(endpointNumber: number, bytes: Uint8Array): Promise<UsbOutResult>;
  transferIn(endpointNumber: number, length: number): Promise<UsbInResult>;
  controlTransferIn(setup: UsbControlSetup, length: number): Promise<UsbInResult>;
}
