// Edge: the stubs that come with this installation (firmware/prebuilt), checked against their descriptions before
// anybody sees them.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { CHIPS } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { KnownStubs, type StubFile } from '../target/stubs.ts';

/** From the sources (agent/node) and from the compiled program (dist/agent/node). */
const FOLDERS = ['../../firmware/prebuilt/', '../../../firmware/prebuilt/'];

const DescriptionSchema = z.object({ sha512: z.string().regex(/^[0-9a-f]{128}$/), size: z.int() });

/** Every stub a chip row names. @throws BF-INTERNAL-BUILD when one is missing or is not what its description says. */
export function bundledStubs(): KnownStubs {
  const names = new Set(CHIPS.flatMap(({ stub }) => (stub === undefined ? [] : [stub])));
  const folder = FOLDERS.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  if (folder === undefined) throw fail('BF-INTERNAL-BUILD', 'the folder firmware/prebuilt is missing');
  return new KnownStubs([...names].map((name) => readStub(folder, name)));
}

function readStub(folder: URL, name: string): StubFile {
  const image = readFile(new URL(`stub-${name}.bin`, folder), name);
  const description = DescriptionSchema.safeParse(readJson(new URL(`stub-${name}.json`, folder), name));
  if (!description.success) throw fail('BF-INTERNAL-BUILD', `the description of stub ${name} is not usable`);
  const { sha512, size } = description.data;
  if (image.length !== size || createHash('sha512').update(image).digest('hex') !== sha512) {
    throw fail('BF-INTERNAL-BUILD', `stub ${name} is not the one its description names`);
  }
  return { name, image };
}

function readJson(url: URL, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(readFile(url, name))) as unknown;
  } catch (error) {
    throw fail('BF-INTERNAL-BUILD', `the description of stub ${name} is not usable`, error);
  }
}

function readFile(url: URL, name: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(url));
  } catch (error) {
    throw fail('BF-INTERNAL-BUILD', `stub ${name} is missing`, error);
  }
}
