// A long line as rows of a screen, so that the terminal breaks none itself: what another side wrote could otherwise be
// given a length that makes its end a row of its own, with the look of a line of ours. Pure.

/** Blanks before every row but the first, beyond the line's own indent. */
const HANG = 2;
/** A screen narrower than this is not served. */
const NARROWEST = 20;
/** Characters that take two columns (East Asian wide and full-width, emoji). */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1ffff}\u{20000}-\u{3fffd}]/u;

/** The line in rows of at most `columns`, broken at blanks where there are any; rows after the first are indented. */
export function rowsOf(line: string, columns: number): string[] {
  const most = Math.max(columns, NARROWEST);
  const hang = ' '.repeat(Math.min(indentOf(line), NARROWEST / 2) + HANG);
  const rows: string[] = [];
  let rest = line;
  while (widthOf(rest) > most) {
    const end = breakAt(rest, most);
    rows.push(rest.slice(0, end).trimEnd());
    rest = hang + rest.slice(end).trimStart();
  }
  return [...rows, rest];
}

/** Where a row ends: behind its last blank, unless that leaves most of it empty; else where it is full. */
function breakAt(line: string, most: number): number {
  const full = fittingIn(line, most);
  const blank = line.lastIndexOf(' ', full);
  return blank > Math.max(full / 2, indentOf(line)) ? blank : full;
}

/** UTF-16 units of a line that fit into so many columns. */
function fittingIn(line: string, most: number): number {
  let [units, width] = [0, 0];
  for (const character of line) {
    width += widthOf(character);
    if (width > most) break;
    units += character.length;
  }
  return units;
}

function indentOf(line: string): number {
  return /^ */.exec(line)![0].length;
}

function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : 1;
  return width;
}
