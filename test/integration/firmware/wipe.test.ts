// Nothing secret outlives a session: keys, chains, plaintext are looked for in CCM and SRAM after every way out.
import assert from 'node:assert/strict';
import type { FirmwareFixture } from './firmware-fixture.ts';
import { busy, busyErasing, CCM, end, ENDINGS, found, memory, OUTLIVED, plan, SRAM } from './session-endings.ts';
import { chipKey } from './session-secrets.ts';
import { asks, sendImage, writeAll } from './sample-jobs.ts';

function assertClean(fixture: FirmwareFixture, secrets: Record<string, Uint8Array>): void {
  assert.deepEqual(found(memory(fixture, CCM), secrets), [], 'in CCM');
  assert.deepEqual(found(memory(fixture, SRAM), secrets), [], 'in SRAM');
}

describe('stub wiping', () => {
  it('the search finds keys and plaintext while they are there, and only in CCM', () => {
    const { fixture, secrets } = busyErasing();
    const inCcm = found(memory(fixture, CCM), secrets);
    assert.ok(inCcm.includes('box key of chain i2r 0') && inCcm.includes('box key of chain r2i 0'));
    assert.ok(inCcm.includes('plaintext'));
    assert.deepEqual(found(memory(fixture, SRAM), secrets), []);
  });
  it('agreement, old chains and what they came from are gone while the session lives', () => {
    const { fixture, secrets } = busy();
    const inCcm = found(memory(fixture, CCM), secrets);
    for (const gone of ['ee', 'es', 'se', 'prk0', 'key "device"', 'prk', 'chain i2r 0', 'chain r2i 0']) {
      assert.ok(!inCcm.includes(gone), gone);
    }
  });
  for (const ending of ENDINGS) {
    it(`leaves nothing in memory when ${ending.what}`, () => {
      const all = busyErasing();
      const { fixture, secrets } = all;
      const d = chipKey(fixture);
      end(all, ending);
      assertClean(fixture, secrets);
      const kept = OUTLIVED.includes(ending.state);
      assert.deepEqual(fixture.read(d.address, 32), kept ? d.secret : new Uint8Array(32), "the chip's own key");
      assert.deepEqual(found(memory(fixture, CCM), { d: d.secret }), kept ? ['d'] : []);
      assert.deepEqual(found(memory(fixture, SRAM), { d: d.secret }), []);
      if (ending.state !== 'fault') assert.equal(fixture.word(0x40023c10) >>> 31, 1, 'FLASH_CR is locked');
    });
  }
  it('leaves nothing after END, and its secret memory reads zero', () => {
    const { fixture, controller, secrets, image } = busy();
    writeAll(controller, plan, image);
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
    fixture.runUntil(() => fixture.state === 'ended', 10, 'ended');
    assertClean(fixture, secrets);
    const ccm = memory(fixture, CCM);
    assert.ok(
      ccm.subarray(0, chipKey(fixture).address - CCM.base).every((byte) => byte === 0),
      'keys and buffers',
    );
    assert.ok(
      ccm.subarray(0xe000, 0xfe00).every((byte) => byte === 0),
      'stack',
    );
  });
  it('clears plaintext behind the programming, not only at the end', () => {
    const { fixture, controller, secrets, image } = busy();
    controller.send({ name: 'ERASE', sector: 0 });
    sendImage(controller, plan, image);
    controller.reply();
    controller.settle();
    const programmed = image.bytes.slice().fill(0xff, 0, 64);
    assert.ok(asks(controller, plan, programmed));
    assert.ok(!found(memory(fixture, CCM), secrets).includes('plaintext'));
  });
  it('keeps no plaintext when programming is broken off', () => {
    const { fixture, controller, secrets } = busyErasing();
    fixture.runUntil(() => fixture.control('WORDS') > 100, 1000, 'programming');
    controller.send({ name: 'ABORT' });
    fixture.runUntil(() => fixture.state === 'aborted', 1000, 'abort');
    assertClean(fixture, secrets);
    const words = fixture.control('WORDS');
    fixture.runMs(100);
    assert.equal(fixture.control('WORDS'), words, 'the engine has stopped');
  });
});
