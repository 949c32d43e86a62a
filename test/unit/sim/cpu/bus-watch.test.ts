// Who touches an address: what tests of secrets listen to.
import assert from 'node:assert/strict';
import type { BusAccess } from '../../../../sim/cpu/bus-map.ts';
import { ChipFixture, RCC } from '../chip/chip-fixture.ts';

const SLOT = 0x08007800;
const LDR_R0_R1 = 0x6808;
const SPIN = 0xe7fe;

/** A board whose program is these half-words, with `literal` behind it. */
function board(halfwords: readonly number[], literal = 0): ChipFixture {
  const flash = new Uint8Array(0x8000).fill(0xff);
  const view = new DataView(flash.buffer);
  view.setUint32(0, 0x20010000, true);
  view.setUint32(4, 0x08000101, true);
  halfwords.forEach((halfword, i) => view.setUint16(0x100 + 2 * i, halfword, true));
  view.setUint32(0x108, literal, true);
  view.setUint32(SLOT - 0x08000000, 0x5ec4e700, true);
  const b = new ChipFixture({ flash });
  b.board.assertNrst();
  return b;
}
function accesses(b: ChipFixture, from: number, to: number, work: () => void): BusAccess[] {
  const seen: BusAccess[] = [];
  const stop = b.board.bus.watch(from, to, (access) => seen.push(access));
  work();
  stop();
  return seen;
}
const run = (b: ChipFixture) => () => {
  b.board.releaseNrst();
  b.wait(100_000);
};

describe('a watched address', () => {
  // ldr r1,[pc,#4]; ldr r0,[r1]; b .
  const read = [0x4901, LDR_R0_R1, SPIN];
  it('tells who reads it, through the boot alias too, and what is beside it stays untold', () => {
    for (const address of [SLOT, SLOT - 0x08000000]) {
      const b = board(read, address);
      const seen = accesses(b, SLOT, SLOT + 0x800, run(b));
      assert.deepEqual(seen, [{ kind: 'read', master: 'cpu', address: SLOT, width: 4, value: 0x5ec4e700 }]);
    }
    const beside = board(read, SLOT - 4);
    assert.deepEqual(accesses(beside, SLOT, SLOT + 0x800, run(beside)), []);
  });
  it('tells loops that were compiled before it was watched', () => {
    // ldr r1,[pc,#4]; ldr r0,[r1]; adds r2,#1; b .-4
    const b = board([0x4901, LDR_R0_R1, 0x3201, 0xe7fc], SLOT);
    run(b)();
    assert.ok(accesses(b, SLOT, SLOT + 4, () => b.wait(10_000)).length > 10);
    assert.equal(accesses(b, SLOT - 0x100, SLOT - 0x80, () => b.wait(10_000)).length, 0);
  });
  it('tells stores, DMA and the debugger, and accesses that are refused', () => {
    const b = board([SPIN]);
    run(b)();
    b.poke(RCC.ahb1enr, 0x00500000);
    const seen = accesses(b, 0x20000100, 0x20000104, () => {
      b.poke(0x20000102, 7, 1);
      b.poke(0x2200204c, 1);
      b.peek(0x20000100, 4, 'debugger');
      // DMA2 stream 0 from memory to memory, one word.
      b.poke(0x40026414, 1);
      b.poke(0x40026418, 0x20000100);
      b.poke(0x4002641c, 0x20000200);
      b.poke(0x40026410, 0x5081);
    });
    assert.deepEqual(
      seen.map(({ kind, master }) => `${master} ${kind}`),
      ['cpu write', 'cpu read', 'cpu write', 'debugger read', 'dma read'],
    );
    const locked = new ChipFixture({ rdp: 1 });
    locked.board.debugEvent('ap-transaction');
    const refused = accesses(locked, SLOT, SLOT + 4, () => locked.faults(() => locked.peek(SLOT, 4, 'debugger')));
    assert.deepEqual(refused, [{ kind: 'read', master: 'debugger', address: SLOT, width: 4, value: 0 }]);
  });
});
