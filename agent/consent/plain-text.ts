// Lines of the consent sheet: foreign text made harmless (docs/product.md §2), our own wrapped.
import { quotable } from '../../shared/codec/foreign-text.ts';

/** Widest line of a sheet, characters. */
export const SHEET_WIDTH = 80;

/** As quotable, of at most `units` UTF-16 units: what protocol.md calls text(n). */
export function boundedText(text: string, units: number): string {
  let line = quotable(text, units);
  while (line.length > units) line = [...line].slice(0, -1).join('');
  return line;
}

/**
 * Our own text in lines of at most `width` characters, broken between words; its indent stays, later lines get `hang`.
 */
export function wrapText(text: string, width = SHEET_WIDTH, hang = ''): string[] {
  const lines: string[] = [];
  let line = /^ */.exec(text)?.[0] ?? '';
  let fresh = true;
  for (const word of text.slice(line.length).split(' ')) {
    const longer = fresh ? line + word : `${line} ${word}`;
    if (fresh || longer.length <= width) {
      line = longer;
    } else {
      lines.push(line);
      line = hang + word;
    }
    fresh = false;
  }
  return [...lines, line];
}
