// JSON from outside: one value, and no key twice in an object (docs/protocol.md §6), which
// JSON.parse alone would let pass.
import { fail, type ErrorCode } from '../errors/errors.ts';

/** The value of a JSON text. @throws `code` for text that is not JSON or in which an object has a key twice */
export function parseJson(text: string, code: ErrorCode, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    throw fail(code, `${what} is not JSON`);
  }
  if (hasKeyTwice(text)) throw fail(code, `${what} has a key twice`);
  return value;
}

const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;

/** @param text valid JSON */
function hasKeyTwice(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  for (const [token, colon] of text.matchAll(TOKEN)) {
    if (token === '{') {
      open.push(new Set());
    } else if (token === '[') {
      open.push(undefined);
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (colon !== undefined) {
      const keys = open.at(-1)!;
      const key = JSON.parse(token.slice(0, token.length - colon.length)) as string;
      if (keys.has(key)) return true;
      keys.add(key);
    }
  }
  return false;
}
