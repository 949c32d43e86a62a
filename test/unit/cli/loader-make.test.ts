// `loader make`: the file it writes, byte by byte as docs/loader.md has it, and the options that make none.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeLoader } from '../../../cli/vendor/loader-make.ts';

const CONFIG = 0x7600;
const LENGTH = 0x7800;
const FIRST = `09${'00'.repeat(31)}`;
const SECOND = '11'.repeat(31) + '22';
/** p of Curve25519: no key. */
const PRIME = `ed${'ff'.repeat(30)}7f`;

/** CRC-32 bit by bit. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe('loader make', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bf-loader-'));
  const out = join(folder, 'loader.bin');
  const common = {
    product: 7,
    key: [`sessions=${FIRST}`],
    uart: 1,
    tx: 'PA9',
    rx: 'PA10',
    baud: 921600,
    listen: 0,
    digest: true,
    out,
  };
  after(() => rmSync(folder, { recursive: true }));

  it('writes the prebuilt program and the config behind it', async () => {
    const key = [`sessions=${FIRST}`, `keys+spare=${SECOND}`];
    const made = await makeLoader({
      ...common,
      key,
      strap: 'PB3=1',
      rtc: '5=0x600dcafe',
      listen: 100,
      uart: 3,
      'debug-pins-off': true,
    });
    const file = new Uint8Array(readFileSync(out));
    const view = new DataView(file.buffer, file.byteOffset + CONFIG, 512);
    const prebuilt = readFileSync(new URL('../../../firmware/prebuilt/loader-stm32f42x.bin', import.meta.url));
    assert.equal(made.bytes, LENGTH);
    assert.equal(file.length, LENGTH);
    assert.ok(prebuilt.equals(file.subarray(0, prebuilt.length)));
    assert.ok(file.subarray(prebuilt.length, CONFIG).every((byte) => byte === 0xff));
    const words = [0, 4, 8, 12, 20, 32].map((at) => view.getUint32(at, true));
    assert.deepEqual(words, [0x434c4642, 1, 7, 3, 921600, 0x600dcafe]);
    assert.deepEqual([...file.subarray(CONFIG + 16, CONFIG + 20)], [3, 0x09, 0x0a, 0]);
    assert.deepEqual([...file.subarray(CONFIG + 24, CONFIG + 32)], [100, 0, 0x13, 1, 5, 0, 0, 0]);
    assert.equal(Buffer.from(file.subarray(CONFIG + 64, CONFIG + 96)).toString('hex'), FIRST);
    assert.equal(Buffer.from(file.subarray(CONFIG + 100, CONFIG + 132)).toString('hex'), SECOND);
    assert.deepEqual(
      [96, 132, 168].map((at) => view.getUint32(at, true)),
      [1, 12, 0],
    );
    assert.equal(view.getUint32(508, true), crc32(file.subarray(CONFIG, CONFIG + 508)));
  });

  const refused: readonly [what: string, change: Partial<Parameters<typeof makeLoader>[0]>][] = [
    ['no product', { product: undefined }],
    ['a product that is no number of 32 bits', { product: 2 ** 32 }],
    ['no key', { key: [] }],
    ['no key for sessions', { key: [`files=${FIRST}`] }],
    ['five keys', { key: [1, 2, 3, 4, 5].map((n) => `sessions=0${n}${FIRST.slice(2)}`) }],
    ['a key twice', { key: [`sessions=${FIRST}`, `files=${FIRST}`] }],
    ['a key for sessions and for files', { key: [`sessions+files=${FIRST}`] }],
    ['a key of low order', { key: [`sessions=01${'00'.repeat(31)}`] }],
    ['a role there is not', { key: [`master=${FIRST}`] }],
    ['a key that is too short', { key: ['sessions=0900'] }],
    ['a key that is none', { key: [`sessions=${PRIME}`] }],
    ['a pin there is not', { tx: 'PA16' }],
    ['a UART there is not', { uart: 9 }],
    ['a strap without a level', { strap: 'PB3' }],
    ['an RTC register there is not', { rtc: '20=1' }],
    ['the word every register holds', { rtc: '1=0' }],
    ['listening for too long', { listen: 201 }],
    ['a chip nobody knows', { chip: 'stm32f103c8' }],
  ];
  for (const [what, change] of refused) {
    it(`refuses ${what}, and writes nothing`, async () => {
      const file = join(folder, 'never.bin');
      await assert.rejects(makeLoader({ ...common, ...change, out: file }), { code: 'BF-USAGE' });
      assert.ok(!existsSync(file));
    });
  }

  it('takes the loader of the chip that is named', async () => {
    const loaders = {
      stm32f407vgt6: 'stm32f4',
      STM32F405: 'stm32f4',
      stm32f479: 'stm32f42x',
      stm32f437zi: 'stm32f42x',
    };
    for (const [chip, loader] of Object.entries(loaders)) {
      const made = await makeLoader({ ...common, chip });
      const prebuilt = readFileSync(new URL(`../../../firmware/prebuilt/loader-${loader}.bin`, import.meta.url));
      assert.ok(prebuilt.equals(readFileSync(out).subarray(0, prebuilt.length)), chip);
      assert.equal(made.loaderHash, createHash('sha512').update(prebuilt).digest('hex'));
    }
  });

  const lacking: readonly [chip: string, why: RegExp][] = [
    ['stm32f401re', /no random generator and no backup SRAM/],
    ['stm32f401cc', /no random generator and no backup SRAM/],
    ['stm32f411ce', /no random generator and no backup SRAM/],
    ['stm32f446re', /has no random generator$/],
    ['stm32f410rb', /has no backup SRAM$/],
    ['stm32f412zg', /has no backup SRAM$/],
    ['stm32f413zh', /has no backup SRAM$/],
  ];
  for (const [chip, detail] of lacking) {
    it(`refuses the ${chip}, with the reason, and writes nothing`, async () => {
      const file = join(folder, 'never.bin');
      await assert.rejects(makeLoader({ ...common, chip, out: file }), { code: 'BF-TARGET-NO-LOADER', detail });
      assert.ok(!existsSync(file));
    });
  }

  it('refuses what the chip does not have: UART 7 and port J of an F405', async () => {
    const small = { ...common, chip: 'stm32f405rg' };
    await assert.rejects(makeLoader({ ...small, uart: 7 }), { code: 'BF-USAGE', detail: /1 to 6/ });
    await assert.rejects(makeLoader({ ...small, strap: 'PJ1=0' }), { code: 'BF-USAGE', detail: /A to I/ });
    await makeLoader({ ...common, uart: 7, strap: 'PJ1=0' });
  });

  it('says when the file cannot be written', async () => {
    await assert.rejects(makeLoader({ ...common, out: join(folder, 'nowhere', 'x.bin') }), { code: 'BF-USAGE-FILE' });
  });
});
