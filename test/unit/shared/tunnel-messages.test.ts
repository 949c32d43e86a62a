// What an open tunnel carries, over the same network (docs/protocol.md §6).
import assert from 'node:assert/strict';
import { refuses } from './support.ts';
import { fair, opened, settle, credit, frame, upTo, type Weather } from './tunnel-ends.ts';

describe('tunnel: messages', () => {
  it('carries messages both ways in order and acknowledges them', async () => {
    const all = await opened();
    for (const n of upTo(100)) {
      all.agent.tunnel.send(credit(n));
      all.controller.tunnel.send(frame(n));
    }
    await settle(all, 500);
    assert.deepEqual([all.controller.words, all.agent.words], [upTo(100), upTo(100)]);
    assert.deepEqual([all.agent.tunnel.unacknowledged, all.controller.tunnel.unacknowledged], [0, 0]);
    assert.ok(all.agent.drained >= 1);
  });

  it('acknowledges after 32 boxes or 100 ms, and comes to rest', async () => {
    const all = await opened();
    await settle(all, 500);
    const before = all.carrier.carried.length;
    for (const n of upTo(64)) all.controller.tunnel.send(frame(n));
    await all.carrier.run();
    const acks = () => all.carrier.carried.slice(before).filter(({ from }) => from === 'agent').length;
    assert.equal(acks(), 2);
    all.controller.tunnel.send(frame(65));
    await all.carrier.run();
    all.clock.advanceNow(99);
    assert.equal(acks(), 2);
    all.clock.advanceNow(1);
    assert.equal(acks(), 3);
    await settle(all, 120_000, 500);
    assert.equal(acks(), 3);
    assert.equal(all.clock.waiting, 0);
  });

  const dice = (index: number, seed: number) =>
    (Math.imul(index + 1, 2654435761) ^ Math.imul(seed, 40503 * 7919)) >>> 9;
  const weathers: [string, (seed: number) => Weather][] = [
    ['loses every sixth', (seed) => (_body, _from, index) => (dice(index, seed) % 6 === 0 ? [] : [0])],
    ['repeats everything', () => () => [0, 1, 5]],
    ['exchanges neighbours', (seed) => (_body, _from, index) => [(index + seed) % 2 === 0 ? 2 : 0]],
    [
      'does all of it',
      (seed) => (_body, _from, index) => {
        const thrown = dice(index, seed);
        return thrown % 5 === 0 ? [] : thrown % 7 === 0 ? [0, 3] : [thrown % 4];
      },
    ],
  ];
  for (const [name, weather] of weathers) {
    for (const seed of [1, 2, 3]) {
      it(`arrives complete and in order when the network ${name} (${seed})`, async () => {
        const all = await opened();
        all.carrier.weather = weather(seed);
        for (const n of upTo(60)) {
          all.agent.tunnel.send(credit(n));
          all.controller.tunnel.send(frame(n));
          if (n % 10 === 0) await settle(all, 100);
        }
        await settle(all, 600_000, 250);
        assert.deepEqual([all.controller.words, all.agent.words], [upTo(60), upTo(60)]);
        assert.deepEqual([all.agent.failures, all.controller.failures], [[], []]);
      });
    }
  }

  it('survives losing the link at every message', async () => {
    const all = await opened();
    for (const n of upTo(40)) {
      all.agent.tunnel.send(credit(n));
      if (n % 2 === 0) await all.carrier.run();
      all.carrier.leave('agent');
      all.agent.tunnel.send(credit(1000 + n));
      all.controller.tunnel.send(frame(n));
      all.carrier.join(all.agent);
      if (n % 3 === 0) await all.carrier.run();
    }
    await settle(all, 2000);
    assert.deepEqual(
      all.controller.words,
      upTo(40).flatMap((n) => [n, 1000 + n]),
    );
    assert.deepEqual(all.agent.words, upTo(40));
    assert.equal(all.agent.tunnels, 1);
  });

  it('a resent box is the stored ciphertext', async () => {
    const all = await opened();
    all.carrier.weather = () => [];
    all.agent.tunnel.send(credit(1));
    all.carrier.weather = fair;
    all.carrier.relink();
    await settle(all, 500);
    const boxes = all.carrier.carried.filter(({ from, body }) => from === 'agent' && body[0] === 0x10 && body[1] === 1);
    assert.ok(boxes.length >= 2);
    for (const box of boxes) assert.deepEqual(box.body, boxes[0].body);
  });

  it('a flipped bit ends the session on the receiving side, in words', async () => {
    const all = await opened();
    all.agent.tunnel.send(credit(1));
    await all.carrier.run();
    all.carrier.weather = (body) => {
      body[20] ^= 1;
      return [0];
    };
    all.agent.tunnel.send(credit(2));
    await all.carrier.run();
    assert.deepEqual(
      all.controller.failures.map((error) => error.code),
      ['BF-TUNNEL-AUTHENTICATION'],
    );
    assert.deepEqual(all.controller.words, [1]);
    refuses('BF-TUNNEL-CLOSED', () => all.controller.tunnel.send(frame(1)));
  });

  it('refuses more than 4096 messages or 8 MiB that nobody acknowledged', async () => {
    const many = await opened();
    many.carrier.leave('controller');
    for (const n of upTo(4096)) many.agent.tunnel.send(credit(n));
    refuses('BF-TUNNEL-TIMEOUT', () => many.agent.tunnel.send(credit(4097)));
    const large = await opened();
    large.carrier.leave('agent');
    let count = 0;
    refuses('BF-TUNNEL-TIMEOUT', () => {
      for (;;) large.controller.tunnel.send(frame(++count));
    });
    assert.ok(count * 4096 > 8_000_000 && count * 4064 < 8 * 1024 * 1024 + 4096);
    many.carrier.join(many.controller);
    await settle(many, 2000);
    assert.deepEqual(many.controller.words, upTo(4096), 'what was accepted still arrives');
  });

  it('a side cannot send the other side’s messages', async () => {
    const all = await opened();
    refuses('BF-INTERNAL-ARGUMENT', () => all.agent.tunnel.send(frame(1)));
    refuses('BF-INTERNAL-ARGUMENT', () => all.controller.tunnel.send(credit(1)));
  });

  it('an exception of the owner reaches the owner and does not end the tunnel', async () => {
    const all = await opened();
    all.controller.onMessage = () => {
      throw new RangeError('mine');
    };
    all.agent.tunnel.send(credit(1));
    await assert.rejects(all.carrier.run(), RangeError);
    all.controller.onMessage = () => {};
    all.agent.tunnel.send(credit(2));
    await settle(all, 200);
    assert.deepEqual([all.controller.words, all.controller.failures], [[1, 2], []]);
  });

  it('garbage and forged RESUME harm nobody', async () => {
    const all = await opened();
    all.agent.tunnel.send(credit(1));
    await all.carrier.run();
    const resume = Uint8Array.of(0x11, ...new Uint8Array(8), 0, 0, 0, 0);
    for (const body of [
      new Uint8Array(0),
      new Uint8Array(1),
      Uint8Array.of(0x10),
      Uint8Array.of(0x7f),
      resume,
      new Uint8Array(9000),
    ]) {
      for (const side of ['agent', 'controller'] as const) await all.carrier.inject(side, body);
    }
    all.agent.tunnel.send(credit(2));
    await settle(all, 200);
    assert.deepEqual(all.controller.words, [1, 2]);
  });
});
