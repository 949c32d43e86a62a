// `loader make --config`: what a YAML file may say, that an option wins over it, and that each fault is told with its
// line. The example is that of docs/loader.md.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfigFile } from '../../../cli/vendor/loader-config-file.ts';
import { makeLoader } from '../../../cli/vendor/loader-make.ts';
import { isBlindflashError } from '../../../shared/errors/errors.ts';

const page = readFileSync(new URL('../../../docs/loader.md', import.meta.url), 'utf8');
const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
const read = (text: string) => readConfigFile(text, 'loader.yaml');

describe('loader make: a config file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bf-loader-'));
  after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'loader.yaml');
  const made = async (text: string, options: object = {}): Promise<Uint8Array> => {
    writeFileSync(path, text);
    const out = join(folder, 'loader.bin');
    await makeLoader({ config: path, out, ...options });
    return new Uint8Array(readFileSync(out)).slice(0x7600);
  };

  it('of the page makes the config it describes', async () => {
    const config = await made(example);
    const view = new DataView(config.buffer);
    assert.deepEqual([view.getUint32(8, true), view.getUint32(12, true), config[16]], [7, 2, 3]);
    assert.deepEqual([view.getUint32(20, true), view.getUint16(24, true)], [460800, 100]);
    assert.deepEqual([...config.slice(17, 19)], [0x1a, 0x1b]);
    assert.deepEqual([config[26], config[27], config[28], view.getUint32(32, true)], [0x2d, 0, 5, 0x600dcafe]);
    assert.deepEqual(
      [96, 132, 168].map((at) => view.getUint32(at, true)),
      [1, 2, 12],
    );
  });

  it('an option wins over its entry, a list as a whole, also where it says what is usual', async () => {
    const key = [`sessions=${'22'.repeat(32)}`];
    const config = await made(example, { uart: 1, product: 8, key, digest: false, rtc: undefined });
    const view = new DataView(config.buffer);
    assert.deepEqual([view.getUint32(8, true), view.getUint32(12, true), config[16]], [8, 0, 1]);
    assert.deepEqual(config.slice(64, 96), new Uint8Array(32).fill(0x22));
    assert.equal(view.getUint32(132, true), 0);
    assert.equal(config[28], 5, 'what is not given is that of the file');
  });

  it('may be empty, or comments alone', () => {
    for (const text of ['', '# nothing\n', '---\n']) assert.deepEqual(read(text), {});
  });

  const faults: readonly [what: string, text: string, line: number, says: RegExp][] = [
    ['an entry there is not', 'product: 7\nbaudrate: 9600\n', 2, /no entry "baudrate"; there are chip, product/],
    ['an option that is no entry', 'product: 7\nout: x.bin\n', 2, /no entry "out"/],
    ['an entry twice', 'product: 7\n\nproduct: 8\n', 3, /unique/],
    ['a text for a number', 'product: seven\n', 1, /product takes a number/],
    ['a number for a text', 'product: 7\ntx: 9\n', 2, /tx takes a text/],
    ['a number out of its bounds', 'listen: 201\n', 1, /201: it has the form of a whole number, 0 to 200/],
    ['a number with a fraction', 'uart: 1.5\n', 1, /1.5/],
    ['a word for a switch', 'uart: 1\ndigest: yes\n', 2, /digest takes true or false/],
    ['nothing', 'product: 7\nstrap:\n', 2, /strap takes a text/],
    ['a pin there is not', '\n\nrx: PA16\n', 3, /rx PA16: it has the form PA0 to PK15/],
    ['a strap without level', 'strap: PB3\n', 1, /strap PB3: it has the form PIN=0 or PIN=1/],
    ['one key without a list', `key: sessions=${'11'.repeat(32)}\n`, 1, /key takes a list of texts/],
    ['a key that is none', 'key:\n  - sessions=11\n', 2, /key sessions=11: it has the form ROLE/],
    ['a list in a list', 'key:\n  - [a]\n', 1, /key takes a list of texts/],
    ['a list for the whole', '- product: 7\n', 1, /NAME: VALUE/],
    ['a text for the whole', 'product=7\n', 1, /NAME: VALUE/],
    ['an alias', 'tx: &pin PA9\nrx: *pin\n', 2, /rx takes a text/],
    ['a tag', 'tx: !!binary UEE5\n', 1, /./],
    ['two documents', 'product: 7\n---\nproduct: 8\n', 2, /./],
    ['a bracket that stays open', 'product: 7\nkey: [a\n', 3, /./],
    ['a tab for blanks', 'key:\n\t- a\n', 2, /./],
  ];
  for (const [what, text, line, detail] of faults) {
    it(`is refused for ${what}, with its line`, () => {
      assert.throws(
        () => read(text),
        (error: unknown) => {
          assert.ok(isBlindflashError(error, 'BF-USAGE-CONFIG'));
          assert.match(error.detail ?? '', new RegExp(`^loader\\.yaml, line ${line}: `));
          assert.match(error.detail ?? '', detail);
          return true;
        },
      );
    });
  }

  const orderly = (text: string): void => {
    try {
      read(text);
    } catch (error) {
      assert.ok(isBlindflashError(error, 'BF-USAGE-CONFIG'), String(error));
    }
  };

  it('whatever its bytes are, gives values or that error', () => {
    const words = ['key', 'tx', ':', ' ', '\n', '- ', '[', '{', '&a', '*a', '!!', '"', "'", '|', '<<', '0', '#'];
    const text = fc.array(fc.constantFrom(...words)).map((parts) => parts.join(''));
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), text), orderly), {
      seed: 12,
      numRuns: 300,
    });
  });

  it('nested as deeply as its length allows, or longer, gives that error', () => {
    for (const text of ['['.repeat(4000), '{a: '.repeat(1000), '- '.repeat(2000), 'x'.repeat(70_000)]) {
      assert.throws(() => read(text), { code: 'BF-USAGE-CONFIG' });
    }
  });

  it('that is not there is named', async () => {
    const nowhere = join(folder, 'nowhere.yaml');
    await assert.rejects(makeLoader({ config: nowhere, out: 'x' }), { code: 'BF-USAGE-FILE' });
  });
});
