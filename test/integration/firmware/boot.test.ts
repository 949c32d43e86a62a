// Boot of the stub: self-check, clock, random generator, and what it refuses to start with (docs/mailbox.md "States").
import assert from 'node:assert/strict';
import { controlAddress } from '../../fixtures/f42x.ts';
import { Bench, stubImage } from './bench.ts';
import { sha512 } from './jobs.ts';

describe('stub boot', () => {
  it('reaches "waiting" on a strict board without a warning and names itself', () => {
    const bench = new Bench({ strict: true });
    bench.boot();
    assert.equal(bench.control('MAGIC'), 0x31584d42);
    assert.equal(bench.state, 'waiting');
    assert.equal(bench.control('VERSION'), 0x0100);
    assert.deepEqual(bench.read(controlAddress('STUB_HASH'), 64), sha512(stubImage()));
    assert.equal(bench.board.time.hz, 160e6);
    assert.deepEqual(bench.board.warnings, []);
  });
  it('hashes what lies in RAM, not what it should be', () => {
    const bench = new Bench();
    const changed = stubImage();
    const spot = changed.lastIndexOf(0x31);
    changed[spot] ^= 1;
    bench.boot((image) => image.set(changed));
    assert.deepEqual(bench.read(controlAddress('STUB_HASH'), 64), sha512(changed));
  });
  it('does not change itself', () => {
    const bench = Bench.booted();
    bench.runMs(500);
    assert.deepEqual(bench.read(0x20000000, stubImage().length), stubImage());
  });
  it('feeds a watchdog that runs already, for many seconds', () => {
    const bench = new Bench();
    bench.board.powerOn();
    bench.board.runTo(2e6);
    bench.setWord(0x40003000, 0xcccc);
    bench.boot();
    bench.runMs(5000);
    assert.equal(bench.state, 'waiting');
  });
  it('does not start a watchdog', () => {
    const bench = Bench.booted();
    assert.equal(bench.word(0x40023874) & 1, 0, 'LSI stays off');
  });

  for (const [fault, detail] of [
    ['stuck', [0x100]],
    ['repeating', [0x101]],
    ['seed-error', [0x44, 0x45]],
    ['no-clock', [0x22, 0x23]],
  ] as const) {
    it(`refuses when the random generator has the trouble "${fault}"`, () => {
      const bench = new Bench();
      bench.board.rng.fault = fault;
      bench.boot();
      assert.equal(bench.state, 'refused');
      assert.equal(bench.error, 3);
      assert.ok((detail as readonly number[]).includes(bench.detail), bench.detail.toString(16));
      bench.command('handshake');
      bench.runMs(300);
      assert.equal(bench.state, 'refused', 'nothing leaves this state');
    });
  }

  it('refuses when one byte of the random words comes far too often', () => {
    const bench = new Bench();
    const { rng } = bench.board;
    const read = rng.read.bind(rng);
    let count = 0;
    rng.read = (offset, width, master) => {
      const word = read(offset, width, master);
      return offset === 8 ? ((word & ~0xff) | (count++ & 1)) >>> 0 : word;
    };
    bench.boot();
    assert.deepEqual([bench.state, bench.error, bench.detail], ['refused', 3, 0x102]);
  });
  it('gets over one trouble of the random generator by restarting it once', () => {
    const bench = new Bench();
    const { rng } = bench.board;
    const read = rng.read.bind(rng);
    let last = 0;
    let count = 0;
    rng.read = (offset, width, master) => {
      const word = read(offset, width, master);
      if (offset !== 8) return word;
      if (++count !== 500) last = word;
      return last;
    };
    bench.boot();
    assert.equal(bench.state, 'waiting');
    assert.equal(count, 500 + 1 + 1024);
  });
  it('stops at a CPU fault with the words of the fault and nothing secret left', () => {
    const bench = new Bench();
    bench.boot((image) => {
      image[4 * 15] &= 0xfe; // SysTick vector without the Thumb bit
    });
    bench.runUntil(() => bench.state === 'fault', 500, 'fault');
    assert.equal(bench.error, 18);
    const [pc, , , cfsr, hfsr, , , sp] = Array.from({ length: 8 }, (_, i) =>
      bench.word(controlAddress('FAULT') + 4 * i),
    );
    assert.equal(bench.detail, pc);
    assert.ok(cfsr !== 0 || hfsr !== 0);
    assert.ok(sp! > 0x10000000 && sp! <= 0x10010000);
    bench.command('handshake');
    bench.runMs(1);
    assert.equal(bench.state, 'fault', 'nothing leaves this state');
  });
});
