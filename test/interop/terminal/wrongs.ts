// What must not come out of a program, whoever talks to it: the rule that the fuzz of this folder holds
// everything shown against.

/** What cli-progress writes around our bar, and nothing else on a terminal may. */
const BAR_SEQUENCES = ['\u001b[?25l', '\u001b[?25h', '\u001b[?7l', '\u001b[?7h', '\u001b[0G', '\u001b[0K'] as const;

export interface Expectation {
  /** A terminal turns each line feed into CR LF. */
  readonly terminal: boolean;
  /** The bar may be drawn. */
  readonly bar: boolean;
  /** What begins like JSON has to be JSON in printable ASCII. */
  readonly json: boolean;
}

/** Everything wrong with what was shown, a sentence each with its surroundings; none, if all is well. */
export function wrongs(shown: Buffer, { terminal, bar, json }: Expectation): string[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(shown);
  } catch {
    return ['it is not UTF-8'];
  }
  if (bar) for (const sequence of BAR_SEQUENCES) text = text.replaceAll(sequence, '');
  if (terminal) text = text.replaceAll('\r\n', '\n');
  const found: string[] = [];
  for (const { 0: bad, index } of text.matchAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu)) {
    if (bad !== '\n') {
      found.push(`${codeOf(bad)} in ${JSON.stringify(text.slice(Math.max(0, index - 40), index + 20))}`);
    }
  }
  return json ? [...found, ...text.split('\n').flatMap(jsonWrongs)] : found;
}

function codeOf(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}

function jsonWrongs(line: string): string[] {
  if (!line.startsWith('{')) return [];
  if (!/^[ -~]*$/.test(line)) return [`a line of JSON beyond ASCII: ${line.slice(0, 100)}`];
  try {
    return textsOf(JSON.parse(line)).flatMap((text) =>
      /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text.replaceAll('\n', ''))
        ? [`hostile once it is read: ${JSON.stringify(text)}`]
        : [],
    );
  } catch {
    return [`a line that begins like JSON and is none: ${line.slice(0, 100)}`];
  }
}

/** Every string in a value; what was signed is passed on as it is, and its text is JSON. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}
