// Texts that would do something to a terminal if they reached it, drawn by seed.
import type { seededRandom } from '../../fixtures/seeded.ts';

/** What a terminal, a pager or an eye obeys; each on its own and in the forms attacks have. */
const SEEDS = [
  '\u001b[2J\u001b[H',
  '\u001b[1A\u001b[2KThe code is right. Type yes: ',
  '\u001b]0;title\u0007',
  '\u001b]52;c;cm0gLXJmIH4=\u0007',
  '\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\',
  '\u001bP$q"p\u001b\\',
  '\u001bc',
  '\u001b[?1049h',
  '\u001b[6n',
  '\u009b2J',
  '\u009d0;x\u009c',
  '\u0090x\u009c',
  '\u0085',
  '\r\u001b[K',
  '\rerror: none',
  '\b\b\b\b',
  '\u0000',
  '\u0007',
  '\u000b\u000c',
  '\u000e\u000f',
  '\u007f',
  '\n→ Type yes',
  '\u2028Done.',
  '\u2029Done.',
  '\u202e)sey( ',
  '\u202a\u202b\u202d\u202c',
  '\u2066\u2067\u2068\u2069',
  '\u200e\u200f\u061c',
  '\u200b\u200c\u200d\ufeff\u00ad',
  '\u{e0041}\u{e007f}',
  '\ud800',
  '\udc00',
  '\u0301'.repeat(40),
  '\u3164\u115f\u2800',
  '“ said the vendor. ”',
  '"}\n{"event":"done"}',
] as const;

/** Draws of one seed. */
export type Dice = ReturnType<typeof seededRandom>;

export function oneOf<T>(dice: Dice, list: readonly T[]): T {
  return list[dice.int(list.length)]!;
}

/** At most `most` UTF-16 units of hostile text, often exactly that many. */
export function hostileText(dice: Dice, most: number): string {
  const wanted = dice.int(3) === 0 ? most : 1 + dice.int(most);
  let text = oneOf(dice, ['', 'x ', 'ok: ']);
  while (text.length < wanted) text += piece(dice);
  return text.slice(0, wanted);
}

function piece(dice: Dice): string {
  const kind = dice.int(8);
  if (kind < 5) return oneOf(dice, SEEDS);
  if (kind === 5) return String.fromCharCode(dice.int(0x20));
  if (kind === 6) return String.fromCharCode(0x7f + dice.int(0x21));
  return String.fromCharCode(dice.int(0x10000));
}

/** As hostileText, in at most `most` bytes of UTF-8 and without half characters, which UTF-8 does not hold. */
export function hostileUtf8(dice: Dice, most: number): string {
  let text = Buffer.from(hostileText(dice, most), 'utf8').toString('utf8');
  while (Buffer.byteLength(text) > most) text = [...text].slice(0, -1).join('');
  return text;
}
