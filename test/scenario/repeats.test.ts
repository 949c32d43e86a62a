// A job whose scalar multiplications are repeated (docs/simulation.md, "Remembered calls") is the job in which they are
// played.
import assert from 'node:assert/strict';
import { MULTIPLICATIONS } from '../fixtures/board.ts';
import { tinyImage } from '../fixtures/images.ts';
import { ProductFixture } from '../fixtures/product.ts';

async function job(repeats: boolean) {
  const product = new ProductFixture({ seed: 77, repeats });
  const { agent } = await product.flash(tinyImage());
  assert.equal(agent.result, 'done');
  const { relay, usb } = product.captures;
  return {
    texts: [...product.sheets, ...product.codes.agent, ...product.said, ...product.receipts.map(({ text }) => text)],
    relay: relay.map((message) => Buffer.from(message).toString('hex')),
    commands: usb.length,
    flash: product.board.flash.bytes,
    endNs: product.queue.nowNs,
  };
}

describe('repeated scalar multiplications', () => {
  it('give the same job, on the wire, on the screens and in flash, within a microsecond', async () => {
    const played = await job(false);
    const before = MULTIPLICATIONS.repeated;
    await job(true);
    const { endNs, ...repeated } = await job(true);
    assert.ok(MULTIPLICATIONS.repeated - before >= 5, 'one handshake has five');
    const { endNs: playedNs, ...rest } = played;
    assert.deepEqual(repeated, rest);
    assert.ok(Math.abs(endNs - playedNs) < 1000, `${endNs - playedNs} ns`);
  });
});
