// Everything the vendor's side and the wires hold, as one text to look for a code in.
import type { JobEvent } from '../../controller/job/ports.ts';
import type { Log, LogFields } from '../../shared/ports.ts';
import type { ProductFixture } from '../fixtures/product.ts';

export interface CodeReview {
  readonly log: Log;
  everything(product: ProductFixture, events: readonly JobEvent[]): string;
  /** How a code could be written. */
  formsOf(code: string): readonly string[];
}

export function codeReview(): CodeReview {
  const lines: string[] = [];
  const note = (fields: LogFields, message: string) => void lines.push(`${JSON.stringify(fields)} ${message}`);
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
  const plain = (_key: string, value: unknown): unknown =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
  return {
    log,
    everything: (product, events) =>
      [
        ...lines,
        JSON.stringify(events, plain),
        JSON.stringify(product.saved, plain),
        ...[...product.captures.relay, ...product.captures.usb].map((part) => Buffer.from(part).toString('latin1')),
      ].join('\n'),
    formsOf: (code) => [code, code.replace('-', ''), code.toLowerCase(), code.replace('-', '').toLowerCase()],
  };
}
