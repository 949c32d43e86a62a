// Foreign text made harmless for a terminal: what is left can neither move the cursor, nor turn the line around, nor hide.
// docs/product.md §2: foreign text on the sheet is stripped.

/** Widest line of a sheet, characters. */
export const SHEET_WIDTH = 100;

/** Takes the place of what was removed, so that removal is seen. */
const REMOVED = '·';

/**
 * Controls (ANSI's ESC among them), format characters (bidi and zero-width marks, tags, soft hyphens), private and unassigned
 * ones, half characters, line and paragraph separators, everything Unicode calls ignorable (fillers, variation selectors), and
 * the empty Braille pattern.
 */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]+/gu;
/** More than two combining marks on a letter climb into the neighbouring lines. */
const TOWERS = /(\p{M}{2})\p{M}+/gu;
const ODD_SPACES = /[\s\p{Zs}]+/gu;

/** One line of at most `most` characters; quotation marks become apostrophes, so that the text cannot end its own quotation. */
export function plainText(text: string, most = SHEET_WIDTH): string {
  const line = text
    .replace(HARMFUL, REMOVED)
    .replace(TOWERS, '$1')
    .replace(ODD_SPACES, ' ')
    .replace(/["“”„‟«»]/g, '’')
    .trim();
  const characters = [...line];
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join('')}…`;
}

/** Our own text in lines of at most `width` characters, broken between words; its indent stays, later lines get `hang`. */
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
