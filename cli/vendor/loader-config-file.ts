// The config of a loader from a YAML file: entries have the names and values of the options of `loader make`
// (docs/loader.md, "Config"). Each fault is told with the line it is on.
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Pair } from 'yaml';
import { fail, isBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import { CONFIG_OPTIONS } from './loader-options.ts';
import { checkValue, type ConfigValues } from './loader-values.ts';

/** A config has a dozen lines; the time a parser takes for what is nested grows with the square of its length. */
const MOST_CHARACTERS = 4096;

type EntryName = keyof typeof CONFIG_OPTIONS;
type Value = string | number | boolean | readonly string[];

const isEntry = (name: string): name is EntryName => Object.hasOwn(CONFIG_OPTIONS, name);

/** What an entry takes, in words. */
function takes(name: EntryName): string {
  const row = CONFIG_OPTIONS[name];
  if ('list' in row) return 'a list of texts';
  return { string: 'a text', number: 'a number', boolean: 'true or false' }[row.type];
}

class ConfigReader {
  readonly #file: string;
  readonly #lines = new LineCounter();

  /** @param file name for messages */
  constructor(file: string) {
    this.#file = file;
  }

  read(text: string): ConfigValues {
    if (text.length > MOST_CHARACTERS) throw this.#fault(0, `it is longer than ${MOST_CHARACTERS} characters`);
    const { contents, errors, warnings } = this.#parse(text);
    const [first] = [...errors, ...warnings];
    if (first !== undefined) throw this.#fault(first.pos[0], first.message);
    if (contents === null || (isScalar(contents) && contents.value === null)) return {};
    if (!isMap(contents)) throw this.#fault(contents.range?.[0] ?? 0, 'here a line NAME: VALUE is expected');
    return Object.fromEntries(contents.items.map((pair) => this.#entry(pair)));
  }

  #parse(text: string): Document {
    try {
      return parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, version: '1.2', schema: 'core' });
    } catch (error) {
      throw fail('BF-USAGE-CONFIG', `${this.#file}: ${error instanceof Error ? error.message : 'it is no YAML'}`);
    }
  }

  #entry({ key, value }: Pair): [EntryName, Value] {
    const at = startOf(key);
    const name = isScalar(key) ? String(key.value) : '';
    if (!isEntry(name)) {
      throw this.#fault(at, `there is no entry "${name}"; there are ${Object.keys(CONFIG_OPTIONS).join(', ')}`);
    }
    return [name, this.#value(name, value, at)];
  }

  #value(name: EntryName, node: unknown, at: number): Value {
    const row = CONFIG_OPTIONS[name];
    const mismatch = (): BlindflashError => this.#fault(at, `${name} takes ${takes(name)}`);
    if ('list' in row) {
      if (!isSeq(node)) throw mismatch();
      return node.items.map((item) => this.#scalar(name, item, 'string', mismatch) as string);
    }
    return this.#scalar(name, node, row.type, mismatch);
  }

  #scalar(name: EntryName, node: unknown, type: string, mismatch: () => BlindflashError): string | number | boolean {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value !== type) throw mismatch();
    if (typeof value === 'boolean') return value;
    try {
      checkValue(name, value as string | number);
    } catch (error) {
      throw isBlindflashError(error) ? this.#fault(startOf(node), `${name} ${error.detail ?? ''}`) : error;
    }
    return value as string | number;
  }

  /** @param at offset in the text */
  #fault(at: number, what: string): BlindflashError {
    const { line } = this.#lines.linePos(at);
    return fail('BF-USAGE-CONFIG', `${this.#file}, line ${Math.max(line, 1)}: ${what}`);
  }
}

/** Offset of a node in the text. */
function startOf(node: unknown): number {
  return (node as { range?: readonly number[] } | null)?.range?.[0] ?? 0;
}

/**
 * The values a config file gives.
 * @param file its name, for messages
 * @throws BF-USAGE-CONFIG naming the line
 */
export function readConfigFile(text: string, file: string): ConfigValues {
  return new ConfigReader(file).read(text);
}
