// The ports every app is handed: time, chance, log and link. Nothing here does I/O; docs/architecture.md, "Ports".

/** Monotonic and calendar time. All durations are milliseconds. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary origin. */
  now(): number;
  /** Calendar time, milliseconds since 1970-01-01T00:00:00Z. */
  wall(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** Source of unpredictable bytes; deterministic by seed in virtual runs. */
export interface Random {
  bytes(count: number): Uint8Array;
}

export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** A structured logger. Fields carry lengths, ids and codes, never bodies or keys. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Log;
}

export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};

/** A connection between a side and the relay that carries binary messages: a WebSocket, or one in memory. */
export interface Link {
  /** Queues one message. Throws BF-LINK-CLOSED after close. */
  send(message: Uint8Array): void;
  /** Bytes queued here and not yet handed to the network. */
  readonly buffered: number;
  /** Stops / restarts delivery of incoming messages (backpressure towards the sender). */
  pause(): void;
  resume(): void;
  /** Closes with a WebSocket close code (1000, or a row of shared/link/close.ts). */
  close(code: number, reason: string): void;
  onMessage: (message: Uint8Array) => void;
  onClose: (code: number, reason: string) => void;
}
