// Sizes and times of link and admission. Above the line: fixed by docs/protocol.md §1-§2, both ends must agree.
// Below the line: what we chose, and could choose otherwise without telling anybody.

/** docs/protocol.md §1. */
export const LINK = {
  path: '/v2/link',
  subprotocol: 'blindflash.2',
  /** Largest WebSocket message, type byte included. */
  messageBytes: 8192,
  /** Largest DATA body. */
  dataBytes: 8191,
  pingMs: 15_000,
  silentMs: 45_000,
  /** The relay stops reading a side while more than this waits for the other. */
  waitingBytes: 256 * 1024,
} as const;

/** docs/protocol.md §1-§2. */
export const ADMISSION = {
  version: 2,
  nonceBytes: 32,
  signatureBytes: 64,
  keyBytes: 32,
  roomBytes: 16,
  idBytes: 16,
  /** Longest relay name, bytes. */
  nameBytes: 255,
  /** Magic, keys, numbers and signature around a relay name. */
  ticketBytesWithoutName: 4 + 32 + 16 + 1 + 16 + 8 + 4 + 32 + 1 + 64,
  /** Revoked rooms a relay remembers at most. */
  revokedRooms: 100_000,
} as const;

// ── chosen ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How long a side waits, and how long it tries again, to be in its room. Milliseconds. */
export const RECONNECT = {
  firstDelayMs: 500,
  longestDelayMs: 30_000,
  /** A link that lived this long was a good one: the next failure starts counting anew. */
  goodAfterMs: 20_000,
  /** From dialling to WELCOME. */
  welcomeMs: 15_000,
  /** Without ever having been in the room. */
  firstGiveUpAfterMs: 60_000,
  /** After having been in the room. */
  giveUpAfterMs: 15 * 60_000,
} as const;

/** Times and amounts a relay allows. */
export const RELAY = {
  /** From connection to a valid PRESENT. */
  admissionMs: 10_000,
  /** How long an admitted link waits for the neighbours to say where its room is. */
  askMs: 50,
  /** While a side is not read: how often it is looked whether the other one has caught up. */
  drainPollMs: 10,
  /** A side whose queue has not shrunk for this long is closed as lagging. */
  laggingMs: 30_000,
  connections: 2000,
  rooms: 1000,
  upgradesPerMinute: 120,
  /** Addresses remembered for that limit. */
  addresses: 10_000,
  /** From the signal until every connection is closed. */
  shutdownMs: 5000,
} as const;
