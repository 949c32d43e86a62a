// SW-DP and AHB-AP behave as IHI0031 and docs/reference/cortex-m-debug.md §1, §2 say.
import assert from 'node:assert/strict';
import { SwDp } from '../../../../sim/dap/sw-dp.ts';
import { BUSY_PAGE, MinimalBoard } from './probe-fixture.ts';

const CSW = 0x0;
const TAR = 0x4;
const DRW = 0xc;
const WORD_INC = 0x23000012;

function connected(tarWrap?: 1024 | 4096): { board: MinimalBoard; dp: SwDp; ap: (register: number) => number } {
  const board = new MinimalBoard();
  const dp = new SwDp(board, tarWrap === undefined ? {} : { tarWrap });
  dp.lineReset();
  dp.read('dp', 0);
  dp.write('dp', 4, 0x50000000);
  const ap = (register: number) => {
    dp.write('dp', 8, register & 0xf0);
    dp.read('ap', register & 0xc);
    dp.write('dp', 8, 0);
    return dp.read('dp', 0xc).value;
  };
  return { board, dp, ap };
}

describe('SW-DP', () => {
  it('answers only after a line reset and a read of DPIDR', () => {
    const dp = new SwDp(new MinimalBoard());
    assert.equal(dp.read('dp', 0).ack, 'none');
    dp.lineReset();
    assert.equal(dp.read('dp', 4).ack, 'none');
    assert.deepEqual(dp.read('dp', 0), { ack: 'ok', value: 0x2ba01477 });
    assert.equal(dp.read('dp', 4).ack, 'ok');
  });

  it('mirrors power requests as acknowledges and refuses the AP before', () => {
    const dp = new SwDp(new MinimalBoard());
    dp.lineReset();
    dp.read('dp', 0);
    assert.equal(dp.read('ap', CSW).ack, 'fault');
    assert.equal(dp.read('dp', 4).value, 0x20);
    dp.write('dp', 0, 0x4);
    dp.write('dp', 4, 0x10000000);
    assert.equal(dp.read('dp', 4).value, 0x30000000);
    dp.write('dp', 4, 0x50000020);
    assert.equal(dp.read('dp', 4).value, 0xf0000000);
    assert.equal(dp.read('ap', CSW).ack, 'ok');
  });

  it('banks register 4: DLCR in bank 1, zero above', () => {
    const { dp } = connected();
    dp.write('dp', 8, 1);
    dp.write('dp', 4, 0x40);
    assert.equal(dp.read('dp', 4).value, 0x40);
    dp.write('dp', 8, 2);
    assert.equal(dp.read('dp', 4).value, 0);
    dp.write('dp', 8, 0);
    assert.equal(dp.read('dp', 4).value, 0xf0000000);
  });

  it('posts AP reads: each brings the value of the one before', () => {
    const { board, dp } = connected();
    board.ram.set([1, 0, 0, 0, 2, 0, 0, 0]);
    dp.write('ap', CSW, WORD_INC);
    dp.write('ap', TAR, 0x20000000);
    dp.read('ap', DRW);
    assert.equal(dp.read('ap', DRW).value, 1);
    assert.equal(dp.read('dp', 0xc).value, 2);
    assert.equal(dp.read('dp', 8).value, 2, 'RESEND repeats it');
  });

  it('sticks a bus error: the access is acknowledged, the next is refused until ABORT', () => {
    const { dp } = connected();
    dp.write('ap', CSW, WORD_INC);
    dp.write('ap', TAR, 0x30000000);
    assert.equal(dp.read('ap', DRW).ack, 'ok');
    assert.equal(dp.read('dp', 0xc).ack, 'fault');
    assert.equal(dp.write('dp', 8, 0).ack, 'fault');
    assert.equal(dp.write('ap', TAR, 0).ack, 'fault');
    assert.equal(dp.read('dp', 4).value, 0xf0000020);
    assert.equal(dp.read('dp', 0).ack, 'ok');
    dp.write('dp', 0, 0x1e);
    dp.read('ap', TAR);
    assert.equal(dp.read('dp', 0xc).value, 0x30000000, 'TAR stays on the failing address');
  });

  it('answers WAIT while the bus is stalled and does the access once', () => {
    const { board, dp } = connected();
    dp.write('ap', CSW, WORD_INC);
    dp.write('ap', TAR, BUSY_PAGE);
    board.busyUntilNs = 100;
    assert.equal(dp.write('ap', DRW, 7).ack, 'wait');
    board.runTo(100);
    assert.equal(dp.write('ap', DRW, 7).ack, 'ok');
    assert.equal(board.ram[BUSY_PAGE & 0xffff], 7);
    assert.equal(board.ram[(BUSY_PAGE & 0xffff) + 4], 0);
  });

  it('forgets everything with the power, and is mute without', () => {
    const { board, dp } = connected();
    board.powered = false;
    assert.equal(dp.read('dp', 0).ack, 'none');
    board.powered = true;
    assert.equal(dp.read('dp', 0).ack, 'none');
    dp.lineReset();
    dp.read('dp', 0);
    assert.equal(dp.read('dp', 4).value, 0);
    board.debugPortEnabled = false;
    assert.equal(dp.read('dp', 0).ack, 'none');
  });

  it('shows nothing behind other APs', () => {
    const { dp } = connected();
    dp.write('dp', 8, 0x010000f0);
    dp.read('ap', 0xc);
    assert.deepEqual(dp.read('dp', 0xc), { ack: 'ok', value: 0 });
  });
});

describe('AHB-AP', () => {
  it('carries the documented identification words', () => {
    const { ap } = connected();
    assert.equal(ap(0xfc), 0x24770011);
    assert.equal(ap(0xf8), 0xe00ff003);
    assert.equal(ap(0xf4), 0);
    assert.equal(ap(0x00), 0x23000040);
  });

  for (const wrap of [4096, 1024] as const) {
    it(`wraps TAR inside ${wrap} bytes`, () => {
      const { dp, ap } = connected(wrap);
      dp.write('ap', CSW, WORD_INC);
      dp.write('ap', TAR, 0x20002000 - 4);
      dp.read('ap', DRW);
      assert.equal(ap(TAR), 0x20002000 - wrap);
    });
  }

  it('puts bytes and half-words in their lanes', () => {
    const { board, dp } = connected();
    board.ram.set([0x11, 0x22, 0x33, 0x44]);
    dp.write('ap', CSW, 0x23000010);
    dp.write('ap', TAR, 0x20000001);
    dp.read('ap', DRW);
    assert.equal(dp.read('ap', DRW).value, 0x00002200);
    assert.equal(dp.read('dp', 0xc).value, 0x00330000);
    dp.write('ap', CSW, 0x23000001);
    dp.write('ap', TAR, 0x20000006);
    dp.write('ap', DRW, 0xabcd1234);
    assert.deepEqual([...board.ram.subarray(4, 8)], [0, 0, 0xcd, 0xab]);
  });

  it('packs four byte accesses into one transfer', () => {
    const { board, dp, ap } = connected();
    dp.write('ap', CSW, 0x23000020);
    dp.write('ap', TAR, 0x20000010);
    dp.write('ap', DRW, 0x04030201);
    assert.deepEqual([...board.ram.subarray(0x10, 0x14)], [1, 2, 3, 4]);
    assert.equal(board.log.filter((line) => line.startsWith('w8')).length, 4);
    assert.equal(ap(TAR), 0x20000014);
  });

  it('reaches the four words around TAR through BD0-3 without moving it', () => {
    const { board, dp, ap } = connected();
    dp.write('ap', TAR, 0x20000024);
    dp.write('dp', 8, 0x10);
    for (let i = 0; i < 4; i++) dp.write('ap', 4 * i, 0xa0 + i);
    assert.deepEqual(
      [0, 4, 8, 12].map((offset) => board.ram[0x20 + offset]),
      [0xa0, 0xa1, 0xa2, 0xa3],
    );
    assert.equal(ap(TAR), 0x20000024);
  });

  it('announces itself to the chip before each transaction', () => {
    const { board, dp } = connected();
    const before = board.debugAccesses;
    dp.write('ap', TAR, 0);
    dp.read('ap', CSW);
    dp.read('dp', 0xc);
    assert.equal(board.debugAccesses - before, 2);
    dp.write('ap', CSW, WORD_INC);
    dp.write('ap', TAR, 0xe000edf0);
    dp.write('ap', DRW, 0xa05f0001);
    assert.deepEqual(board.debugEvents, ['line-reset', 'power-up-request', 'c-debugen']);
  });
});
