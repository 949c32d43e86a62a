// Boot of the stub: self-check, clock, random generator, and what it refuses to start with (docs/mailbox.md "States").
import assert from 'node:assert/strict';
import { controlAddress } from '../../fixtures/f42x.ts';
import { FirmwareFixture, stubImage } from './firmware-fixture.ts';
import { sha512 } from './sample-jobs.ts';

describe('stub boot', () => {
  it('reaches "waiting" on a strict board without a warning and names itself', () => {
    const fixture = new FirmwareFixture({ strict: true });
    fixture.boot();
    assert.equal(fixture.control('MAGIC'), 0x32584d42);
    assert.equal(fixture.state, 'waiting');
    assert.equal(fixture.control('VERSION'), 0x0200);
    assert.deepEqual(fixture.read(controlAddress('STUB_HASH'), 64), sha512(stubImage()));
    assert.equal(fixture.board.time.hz, 160e6);
    assert.deepEqual(fixture.board.warnings, []);
  });
  it('hashes what lies in RAM, not what it should be', () => {
    const fixture = new FirmwareFixture();
    const changed = stubImage();
    const spot = changed.lastIndexOf(0x31);
    changed[spot] ^= 1;
    fixture.boot((image) => image.set(changed));
    assert.deepEqual(fixture.read(controlAddress('STUB_HASH'), 64), sha512(changed));
  });
  it('does not change itself', () => {
    const fixture = FirmwareFixture.booted();
    fixture.runMs(500);
    assert.deepEqual(fixture.read(0x20000000, stubImage().length), stubImage());
  });
  it('feeds a watchdog that runs already, for many seconds', () => {
    const fixture = new FirmwareFixture();
    fixture.board.powerOn();
    fixture.board.runTo(2e6);
    fixture.setWord(0x40003000, 0xcccc);
    fixture.boot();
    fixture.runMs(5000);
    assert.equal(fixture.state, 'waiting');
  });
  it('does not start a watchdog', () => {
    const fixture = FirmwareFixture.booted();
    assert.equal(fixture.word(0x40023874) & 1, 0, 'LSI stays off');
  });

  for (const [fault, detail] of [
    ['stuck', [0x100]],
    ['repeating', [0x101]],
    ['seed-error', [0x44, 0x45]],
    ['no-clock', [0x22, 0x23]],
  ] as const) {
    it(`refuses when the random generator has the trouble "${fault}"`, () => {
      const fixture = new FirmwareFixture();
      fixture.board.rng.fault = fault;
      fixture.boot();
      assert.equal(fixture.state, 'refused');
      assert.equal(fixture.error, 3);
      assert.ok((detail as readonly number[]).includes(fixture.detail), fixture.detail.toString(16));
      fixture.command('handshake');
      fixture.runMs(300);
      assert.equal(fixture.state, 'refused', 'nothing leaves this state');
    });
  }

  it('refuses when one byte of the random words comes far too often', () => {
    const fixture = new FirmwareFixture();
    const { rng } = fixture.board;
    const read = rng.read.bind(rng);
    let count = 0;
    rng.read = (offset, width, master) => {
      const word = read(offset, width, master);
      return offset === 8 ? ((word & ~0xff) | (count++ & 1)) >>> 0 : word;
    };
    fixture.boot();
    assert.deepEqual([fixture.state, fixture.error, fixture.detail], ['refused', 3, 0x102]);
  });
  it('gets over one trouble of the random generator by restarting it once', () => {
    const fixture = new FirmwareFixture();
    const { rng } = fixture.board;
    const read = rng.read.bind(rng);
    let last = 0;
    let count = 0;
    rng.read = (offset, width, master) => {
      const word = read(offset, width, master);
      if (offset !== 8) return word;
      if (++count !== 500) last = word;
      return last;
    };
    fixture.boot();
    assert.equal(fixture.state, 'waiting');
    assert.equal(count, 500 + 1 + 1024);
  });
  it('stops at a CPU fault with the words of the fault and nothing secret left', () => {
    const fixture = new FirmwareFixture();
    fixture.boot((image) => {
      image[4 * 15] &= 0xfe; // SysTick vector without the Thumb bit
    });
    fixture.runUntil(() => fixture.state === 'fault', 500, 'fault');
    assert.equal(fixture.error, 18);
    const [pc, , , cfsr, hfsr, , , sp] = Array.from({ length: 8 }, (_, i) =>
      fixture.word(controlAddress('FAULT') + 4 * i),
    );
    assert.equal(fixture.detail, pc);
    assert.ok(cfsr !== 0 || hfsr !== 0);
    assert.ok(sp! > 0x10000000 && sp! <= 0x10010000);
    fixture.command('handshake');
    fixture.runMs(1);
    assert.equal(fixture.state, 'fault', 'nothing leaves this state');
  });
});
