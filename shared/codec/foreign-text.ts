// Text that somebody else wrote (docs/protocol.md §6): a type of its own that does not turn into a string by itself,
// and the one function that makes it harmless for a screen, a log or a file. What is left can neither move the cursor,
// nor turn the line around, nor hide.

/** A property that comparisons of values see, as they do not see a #private one. */
const RAW = Symbol('raw');

/** Takes the place of what was removed, so that removal is seen. */
const REMOVED = '·';
/** Longest foreign text that is shown, characters: a `detail` is no longer. */
const MOST_SHOWN = 300;
/** Longest line of ours, characters: an invite has 2048, a receipt 3000. */
const LONGEST_LINE = 8192;

/**
 * Controls (ANSI's ESC among them), format characters (bidi and zero-width marks, tags, soft hyphens), private and
 * unassigned ones, half characters, line and paragraph separators, everything Unicode calls ignorable (fillers,
 * variation selectors), and the empty Braille pattern.
 */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]+/gu;
/** More than two combining marks on a letter are drawn into the neighbouring lines. */
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu;
const SPACES = /[\s\p{Zs}]+/gu;

class ForeignTextValue {
  readonly [RAW]: string;

  constructor(raw: string) {
    this[RAW] = raw;
  }

  /** Foreign text turns into a string by cleanText, or rawText, and in no other way. */
  toString(): never {
    throw new TypeError('foreign text is not printed as it came: cleanText');
  }

  [Symbol.toPrimitive](): never {
    return this.toString();
  }

  /** In JSON it is cleaned. */
  toJSON(): string {
    return cleanText(this);
  }

  /** So it is where Node.js inspects an object: in a failed comparison of a test, in console.log. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `ForeignText ${JSON.stringify(this.toJSON())}`;
  }
}

/**
 * Text that somebody else wrote. To the compiler it is a symbol as well (it never is one): those are the only values
 * that it refuses in a template and beside `+`.
 */
export type ForeignText = ForeignTextValue & symbol;

/** Marks a text as somebody else's. */
export function foreignText(raw: string): ForeignText {
  return new ForeignTextValue(raw) as unknown as ForeignText;
}

export function isForeignText(value: unknown): value is ForeignText {
  return value instanceof ForeignTextValue;
}

/** Exactly as it came: to be sent on, compared, hashed or parsed, never to be shown. */
export function rawText(text: ForeignTextValue): string {
  return text[RAW];
}

/**
 * One line for a screen, a log or a file: what is harmful becomes a dot, blanks of any kind one space,
 * longer texts end in `…`.
 * @param most characters kept
 */
export function cleanText(text: ForeignTextValue | string, most = MOST_SHOWN): string {
  const line = dotted((typeof text === 'string' ? text : text[RAW]).replace(SPACES, ' '))
    .replace(STACKED_MARKS, '$1')
    .trim();
  return shortened(line, most);
}

/** Whatever begins or ends a quotation, or looks like it. */
const QUOTES = /[\p{Pi}\p{Pf}"„‚＂″‴‶‷〝〞〟❛-❠]/gu;

/** As cleanText, and without quotation marks, so that the text cannot end its own quotation: `“…”` goes around it. */
export function quotable(text: ForeignTextValue | string, most = MOST_SHOWN): string {
  return cleanText(text, most).replace(QUOTES, '’');
}

/** True for a text that cleanText would leave as it is. */
export function isClean(text: string): boolean {
  return cleanText(text, LONGEST_LINE) === text;
}

/**
 * Lines of ours on their way out: line feeds and indents stay, a tab is a blank, everything else that
 * cleanText takes out goes.
 */
export function cleanLines(text: string): string {
  return text
    .split('\n')
    .map((line) => shortened(dotted(line.replaceAll('\t', ' ')).replace(STACKED_MARKS, '$1'), LONGEST_LINE))
    .join('\n');
}

/** A value as one line of JSON in printable ASCII; its strings are cleaned as lines of ours, foreign text as such. */
export function asciiJson(value: object): string {
  const clean = (_name: string, part: unknown): unknown => (typeof part === 'string' ? cleanLines(part) : part);
  return escapeBeyondAscii(JSON.stringify(value, clean));
}

/** A line of JSON with everything above 7E as \u escapes. */
export function escapeBeyondAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function dotted(text: string): string {
  return text.replace(HARMFUL, REMOVED);
}

function shortened(line: string, most: number): string {
  const characters = [...line];
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join('')}…`;
}
