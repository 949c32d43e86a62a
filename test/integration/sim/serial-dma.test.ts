// A serial port, DMA and flash together, as a loader uses them: ciphertext arrives at 921,600 baud while a sector is
// erased (docs/simulation.md, "Serial ports", "DMA").
import assert from 'node:assert/strict';
import { Board } from '../../../sim/board.ts';
import { splitMix32 } from '../../../sim/split-mix.ts';

const BAUD = 921_600;
const BYTES = 20_000;
const RING = 0x20004000;
const RING_SIZE = 512;
const SR = 0x40011000;
const STREAM = 0x40026440;
const FLASH_SR = 0x40023c0c;
const BUSY = 0x10000;
/** Overrun, noise, framing and parity errors. */
const ERRORS = 0x0f;

/** Clocks, USART1 at the divider next to 921,600, DMA2 stream 2 into a ring; then erase of a 128 KB sector at x8. */
function receiving(hsiDeviation: number): Board {
  const board = new Board({ hsiDeviation, seed: 7 });
  board.powerOn();
  board.runTo(2e6);
  const writes = [
    [0x40023844, 0x10],
    [0x40023830, 0x00500000],
    // The loader measures the far side's bit time, so its divider follows HSI.
    [0x40011008, Math.round((16e6 * (1 + hsiDeviation)) / BAUD)],
    [0x40011014, 0x40],
    [0x4001100c, 0x200c],
    [STREAM + 4, RING_SIZE],
    [STREAM + 8, 0x40011004],
    [STREAM + 12, RING],
    [STREAM, 4 * 2 ** 25 + 0x501],
    [0x40023c04, 0x45670123],
    [0x40023c04, 0xcdef89ab],
    [0x40023c10, 0x2a],
    [0x40023c10, 0x1002a],
  ] as const;
  for (const [address, value] of writes) board.bus.write(address, value >>> 0, 4, 'cpu');
  return board;
}

describe('receiving by DMA during an erase', () => {
  for (const hsiDeviation of [-0.08, 0, 0.05]) {
    it(`loses nothing at 921,600 baud with HSI ${hsiDeviation * 100} % off and jitter`, () => {
      const board = receiving(hsiDeviation);
      const peer = board.serial('USART1');
      peer.bitRate = BAUD;
      peer.noise = { jitter: 0.3 };
      const random = splitMix32(1);
      const sent = Uint8Array.from({ length: BYTES }, () => random() & 0xff);
      peer.send(sent);
      const got: number[] = [];
      let at = 0;
      for (let turn = 0; turn < 4000 && got.length < BYTES; turn++) {
        board.runTo(board.time.now + 100_000);
        assert.equal(board.bus.read(SR, 4, 'debugger') & ERRORS, 0);
        for (const end = RING_SIZE - board.bus.read(STREAM + 4, 4, 'cpu'); at !== end; at = (at + 1) % RING_SIZE) {
          got.push(board.bus.read(RING + at, 1, 'cpu'));
        }
      }
      assert.deepEqual(Uint8Array.from(got), sent);
      assert.equal(board.bus.read(FLASH_SR, 4, 'debugger') & BUSY, BUSY, 'the erase still runs');
    });
  }

  it('is overrun where the core fetches each byte and stands still for the erase', () => {
    const board = receiving(0);
    board.bus.write(STREAM, 0, 4, 'cpu');
    board.serial('USART1').bitRate = BAUD;
    board.serial('USART1').send(Uint8Array.of(1, 2, 3));
    board.runTo(board.time.now + 100_000);
    assert.equal(board.bus.read(SR, 4, 'debugger') & 0x28, 0x28);
  });
});
