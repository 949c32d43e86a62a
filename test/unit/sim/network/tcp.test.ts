// The network model against figures worked out by hand: propagation, slow start, rate, loss, order,
// backpressure, repeatability.
import assert from 'node:assert/strict';
import { EventQueue } from '../../../../sim/event-queue.ts';
import type { Path } from '../../../../sim/network/path.ts';
import { tcpLinkPair } from '../../../../sim/network/tcp-link.ts';

interface Arrival {
  readonly at: number;
  readonly number: number;
  readonly length: number;
}

/** Sends messages of these sizes at time 0 and runs until nothing is left to happen. */
async function send(path: Path, sizes: readonly number[], seed = 1): Promise<Arrival[]> {
  const queue = new EventQueue();
  const { near, far } = tcpLinkPair({ queue, path, seed });
  const arrivals: Arrival[] = [];
  far.onMessage = (message) => arrivals.push({ at: queue.now(), number: message[0] ?? 0, length: message.length });
  for (const [index, size] of sizes.entries()) near.send(new Uint8Array(size).fill(index));
  await queue.runUntil(() => false);
  return arrivals;
}

const last = (arrivals: readonly Arrival[]): number => arrivals.at(-1)?.at ?? Number.NaN;

describe('network model', () => {
  it('carries a small message in half a round trip', async () => {
    assert.deepEqual(await send({ rttMs: 100 }, [10]), [{ at: 50, number: 0, length: 10 }]);
  });

  it('starts slowly: ten segments, then twice as many each round trip', async () => {
    // 14480 + 28960 bytes in the first two flights, the rest of 100 030 in the third: 2 round trips and a half.
    assert.equal(last(await send({ rttMs: 100 }, [100_000])), 250);
    // One flight exactly, framing included, and one byte more.
    assert.equal(last(await send({ rttMs: 100 }, [14_450])), 50);
    assert.equal(last(await send({ rttMs: 100 }, [14_451])), 150);
  });

  it('never goes faster than the rate, headers included', async () => {
    const bytes = 2_000_000;
    const at = last(await send({ rttMs: 20, bitsPerSecond: 10e6 }, [bytes]));
    const least = ((bytes / 1448) * 1500 * 8) / 10e3;
    assert.ok(at > least && at < 1.1 * least, `${at} ms, wire alone ${least} ms`);
  });

  it('loses, repeats, and still delivers everything once and in order', async () => {
    const sizes = Array.from({ length: 200 }, (_, index) => 100 + 20 * index);
    const arrivals = await send({ rttMs: 80, loss: 0.05, jitterMs: 20 }, sizes, 7);
    assert.deepEqual(
      arrivals.map(({ number, length }) => [number, length]),
      sizes.map((size, index) => [index, size]),
    );
  });

  it('is as slow under loss as the square-root law says, within a factor of two', async () => {
    const [bytes, rttMs, loss] = [4_000_000, 100, 0.02];
    const at = last(await send({ rttMs, loss }, [bytes], 3));
    // Mathis et al.: MSS / RTT * sqrt(3/2) / sqrt(p).
    const law = bytes / ((1448 / rttMs) * Math.sqrt(1.5 / loss));
    assert.ok(at > law / 2 && at < law * 2, `${at} ms, law ${law} ms`);
  });

  it('gives the same run for the same seed and another one for another', async () => {
    const path = { rttMs: 100, loss: 0.03, jitterMs: 10 };
    const one = await send(path, [300_000], 5);
    assert.deepEqual(await send(path, [300_000], 5), one);
    assert.notDeepEqual(await send(path, [300_000], 6), one);
  });

  it('stops the sender when the receiver does not read, and goes on', async () => {
    const queue = new EventQueue();
    const { near, far } = tcpLinkPair({ queue, path: { rttMs: 10 }, seed: 1, receiveBuffer: 200_000 });
    let got = 0;
    far.onMessage = ({ length }) => (got += length);
    far.pause();
    for (let count = 0; count < 60; count++) near.send(new Uint8Array(10_000));
    await queue.runUntil(() => false);
    assert.equal(got, 0);
    assert.ok(near.buffered > 399_000, 'what the receive buffer does not take stays with the sender');
    far.resume();
    await queue.runUntil(() => false);
    assert.equal(got, 600_000);
    assert.equal(near.buffered, 0);
  });

  it('tells both ends of a close', async () => {
    const queue = new EventQueue();
    const { near, far } = tcpLinkPair({ queue, path: { rttMs: 10 }, seed: 1 });
    const codes: number[] = [];
    near.onClose = (code) => codes.push(code);
    far.onClose = (code) => codes.push(code);
    far.close(4000, 'test');
    await queue.runUntil(() => false);
    assert.deepEqual(codes, [4000, 4000]);
    assert.throws(() => near.send(new Uint8Array(1)));
  });
});
