// Pieces of a file in the order it gives them, joined where one goes on behind the other.
import type { Segment } from './segments.ts';

/** Contiguous neighbours become one segment; empty ones vanish. */
export function joinRuns(pieces: readonly Segment[]): Segment[] {
  const runs: { address: number; end: number; parts: Uint8Array[] }[] = [];
  for (const { address, bytes } of pieces) {
    if (bytes.length === 0) continue;
    const last = runs.at(-1);
    if (last?.end === address) {
      last.parts.push(bytes);
      last.end += bytes.length;
    } else {
      runs.push({ address, end: address + bytes.length, parts: [bytes] });
    }
  }
  return runs.map(({ address, end, parts }) => ({ address, bytes: joined(parts, end - address) }));
}

/** There may be more parts than a call takes arguments. */
function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
