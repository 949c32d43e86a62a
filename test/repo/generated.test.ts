// What is generated and committed agrees with its source, and nothing in the repository names a machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { leakScanner } from '../../cli/demo/leak-scan.ts';
import { readImage } from '../../controller/image/image.ts';
import { concat } from '../../shared/codec/bytes.ts';
import { LAYOUTS } from '../../shared/mailbox/layout.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): Buffer => readFileSync(new URL(path, root));

const PREBUILT = [...Object.keys(LAYOUTS).map((name) => `stub-${name}`), 'loader-stm32f42x', 'loader-stm32f4'];

describe('house: generated files', () => {
  for (const name of PREBUILT) {
    it(`the prebuilt ${name} is the one its description names`, () => {
      const image = read(`firmware/prebuilt/${name}.bin`);
      const described = JSON.parse(read(`firmware/prebuilt/${name}.json`).toString()) as Record<string, unknown>;
      assert.equal(described['sha256'], createHash('sha256').update(image).digest('hex'));
      assert.equal(described['sha512'], createHash('sha512').update(image).digest('hex'));
      assert.equal(described['size'], image.length);
    });
  }

  it('the headers that firmware/ shares with shared/ are what the tables of shared/ say', () => {
    const script = new URL('scripts/gen-firmware-headers.ts', root).pathname;
    execFileSync(process.execPath, ['--import=tsx', script, '--check'], { cwd: root, stdio: 'pipe' });
  });

  it('the prebuilt examples match their sums', () => {
    const folder = 'examples/bootloader/prebuilt/';
    const lines = read(`${folder}SHA256SUMS`).toString().trim().split('\n');
    assert.ok(lines.length >= 3);
    for (const line of lines) {
      const [sum, name] = line.split(/\s+\*?/);
      assert.equal(
        createHash('sha256')
          .update(read(folder + name!))
          .digest('hex'),
        sum,
        name,
      );
    }
  });
});

describe('house: example and stub', () => {
  it('share no telling run of bytes, so that a capture of a job with the example can be searched without exceptions', () => {
    const file = new Uint8Array(read('examples/bootloader/prebuilt/combined.elf'));
    const image = concat(...readImage(file, { name: 'combined.elf' }).segments.map(({ bytes }) => bytes));
    const stub = new Uint8Array(read('firmware/prebuilt/stub-stm32f42x.bin'));
    assert.deepEqual(leakScanner(image).find(stub), []);
  });
});

describe('house: package', () => {
  it('is one binary, needs Node 20.19 and pins the USB library to 2.x', () => {
    const manifest = JSON.parse(read('package.json').toString()) as {
      bin: Record<string, string>;
      engines: { node: string };
      dependencies: Record<string, string>;
    };
    assert.deepEqual(Object.keys(manifest.bin), ['blindflash']);
    assert.equal(manifest.engines.node, '>=20.19');
    assert.match(manifest.dependencies['usb']!, /^\^2\.18/);
  });

  it('the lock file names no registry', () => {
    assert.doesNotMatch(read('package-lock.json').toString(), /"resolved"/);
  });
});
