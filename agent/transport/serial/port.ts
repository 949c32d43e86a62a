// Port: a serial port as bytes. Which one it is, an adapter of the operating system or a connection to a virtual
// board, is decided where it is made (agent/node/serial-ports.ts).

/** An open port, 8 data bits, no parity, 1 stop bit. After `onGone` nothing of it works any more. */
export interface OpenSerialPort {
  /** Bytes that came, as they come. */
  onData: (bytes: Uint8Array) => void;
  /** It was unplugged, or the connection ended. Not called after close(). */
  onGone: () => void;
  /** Hands bytes over, in the order of the calls; resolves when it takes more. @throws BF-SERIAL-GONE */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when all that was written is on the wire. @throws BF-SERIAL-GONE */
  drain(): Promise<void>;
  /** False for a rate it cannot make. @throws BF-SERIAL-GONE */
  setBaud(bitsPerSecond: number): Promise<boolean>;
  close(): Promise<void>;
}

/** A port that can be opened, again and again. */
export interface SerialPortSource {
  /** What a person calls it. */
  readonly name: string;
  /** Opens it at 115200 bit/s. @throws BF-SERIAL-NONE, BF-SERIAL-BUSY */
  open(): Promise<OpenSerialPort>;
}
