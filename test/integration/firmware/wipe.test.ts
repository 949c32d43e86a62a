// Nothing secret outlives a session: keys, chains, plaintext are looked for in CCM and SRAM after every way out.
import assert from 'node:assert/strict';
import type { Bench } from './bench.ts';
import { busy, busyErasing, CCM, end, ENDINGS, found, memory, plan, SRAM } from './endings.ts';
import { sendImage, writeAll } from './jobs.ts';

function assertClean(bench: Bench, secrets: Record<string, Uint8Array>): void {
  assert.deepEqual(found(memory(bench, CCM), secrets), [], 'in CCM');
  assert.deepEqual(found(memory(bench, SRAM), secrets), [], 'in SRAM');
}

describe('stub wiping', () => {
  it('the search finds keys and plaintext while they are there, and only in CCM', () => {
    const { bench, secrets } = busyErasing();
    const inCcm = found(memory(bench, CCM), secrets);
    assert.ok(inCcm.includes('box key of chain i2r 0') && inCcm.includes('box key of chain r2i 0'));
    assert.ok(inCcm.includes('plaintext'));
    assert.deepEqual(found(memory(bench, SRAM), secrets), []);
  });
  it('agreement, old chains and what they came from are gone while the session lives', () => {
    const { bench, secrets } = busy();
    const inCcm = found(memory(bench, CCM), secrets);
    for (const gone of ['ee', 'es', 'prk', 'chain i2r 0', 'chain r2i 0']) assert.ok(!inCcm.includes(gone), gone);
  });
  for (const ending of ENDINGS) {
    it(`leaves nothing in memory when ${ending.what}`, () => {
      const all = busyErasing();
      const { bench, secrets } = all;
      end(all, ending);
      assertClean(bench, secrets);
      if (ending.state !== 'fault') assert.equal(bench.word(0x40023c10) >>> 31, 1, 'FLASH_CR is locked');
    });
  }
  it('leaves nothing after END, and its secret memory reads zero', () => {
    const { bench, vendor, secrets, image } = busy();
    writeAll(vendor, plan, image);
    assert.equal(vendor.ask({ name: 'END' }).name, 'ENDED');
    bench.runUntil(() => bench.state === 'ended', 10, 'ended');
    assertClean(bench, secrets);
    const ccm = memory(bench, CCM);
    assert.ok(
      ccm.subarray(0, 0x4000).every((byte) => byte === 0),
      'keys and buffers',
    );
    assert.ok(
      ccm.subarray(0xe000, 0xfe00).every((byte) => byte === 0),
      'stack',
    );
  });
  it('clears plaintext behind the programming, not only at the end', () => {
    const { bench, vendor, secrets, image } = busy();
    vendor.send({ name: 'ERASE', sector: 0 });
    sendImage(vendor, plan, image);
    vendor.reply();
    vendor.settle();
    vendor.ask({ name: 'DIGEST', range: 0 });
    assert.ok(!found(memory(bench, CCM), secrets).includes('plaintext'));
  });
  it('keeps no plaintext when programming is broken off', () => {
    const { bench, vendor, secrets } = busyErasing();
    bench.runUntil(() => bench.control('WORDS') > 100, 1000, 'programming');
    vendor.send({ name: 'ABORT' });
    bench.runUntil(() => bench.state === 'aborted', 1000, 'abort');
    assertClean(bench, secrets);
    const words = bench.control('WORDS');
    bench.runMs(100);
    assert.equal(bench.control('WORDS'), words, 'the engine has stopped');
  });
});
