// MailboxHost against a mailbox in an array and a stub that says what the test wants, lies included.
import assert from 'node:assert/strict';
import { Mailbox } from '../../../agent/transport/mailbox/mailbox.ts';
import { HOST_LIMITS } from '../../../agent/transport/mailbox/mailbox-host.ts';
import { crc32 } from '../../../shared/codec/crc32.ts';
import type { Probe } from '../../../agent/probe/probe.ts';
import { fail } from '../../../shared/errors/errors.ts';
import { LAYOUTS } from '../../../shared/mailbox/layout.ts';
import { silentLog } from '../../../shared/ports.ts';
import { ACTIVE, ACTIVITY, FRAMES, REPLY_ACK, ScriptedStub } from './scripted-stub.ts';

describe('mailbox host', () => {
  it('computes the CRC-32 everybody knows', () => {
    assert.equal(crc32(new TextEncoder().encode('12345'), new TextEncoder().encode('6789')), 0xcbf43926);
  });

  it('fills a slot by one write that ends with the sequence at the end of the slot', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 1);
    stub.host.queue({ sequence: 2, box: new Uint8Array(192).fill(2) });
    await stub.drive(stub.turns(1));
    assert.deepEqual(
      stub.writes.map(({ address, bytes }) => [address, bytes.length]),
      [
        [FRAMES + 2 * 4096 - 4080, 4080],
        [FRAMES + 3 * 4096 - 208, 208],
      ],
    );
    assert.deepEqual([stub.get(FRAMES + 2 * 4096 - 16), stub.get(FRAMES + 2 * 4096 - 4)], [4064, 1]);
    assert.equal(stub.get(FRAMES + 3 * 4096 - 8), 0);
  });

  it('runs forty frames ahead and not one further, and goes on as slots become free', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 60);
    await stub.drive(stub.turns(30));
    assert.equal(stub.writes.length, 40);
    stub.say(3, 0);
    await stub.drive(stub.turns(5));
    assert.equal(stub.writes.length, 43);
    assert.equal(stub.get(FRAMES + 4 * 4096 - 4), 43, 'slot 3 holds frame 43');
    assert.equal(stub.host.acceptedImages, 3);
  });

  it('writes a damaged slot again, at the stub’s pace, and gives up in the end', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 1);
    stub.say(0, 0, ACTIVE, 1);
    await stub.drive(stub.turns(40));
    const elapsed = stub.queue.now();
    assert.equal(stub.writes.length <= 2 + elapsed / HOST_LIMITS.rewriteEveryMs, true);
    assert.equal(stub.writes.length >= 2, true);
    assert.deepEqual(stub.writes[0]?.bytes, stub.writes[1]?.bytes, 'the same ciphertext');
    assert.equal(stub.writes[0]?.address, stub.writes[1]?.address);
    await assert.rejects(stub.drive(stub.turns(5000)), { code: 'BF-STUB-MAILBOX' });
  });

  it('does not rewrite what it never wrote', async () => {
    const stub = new ScriptedStub();
    stub.say(0, 0, ACTIVE, 1);
    await stub.drive(stub.turns(20));
    assert.equal(stub.writes.length, 0);
  });

  it('fetches replies in order, acknowledges them, also across the wrap of ring and byte', async () => {
    const stub = new ScriptedStub();
    const got: number[] = [];
    const round = async (): Promise<void> => {
      for (let last = 5; last <= 600; last += 5) {
        for (let sequence = last - 4; sequence <= last; sequence++) stub.reply(sequence);
        stub.say(0, last);
        const { replies } = await stub.host.turn();
        for (const { sequence, box } of replies) {
          got.push(sequence);
          assert.deepEqual(box, new Uint8Array(192).fill(sequence));
        }
        assert.ok(last - stub.get(REPLY_ACK) < 8 && stub.get(REPLY_ACK) <= last);
      }
    };
    await stub.drive(round());
    assert.deepEqual(
      got,
      Array.from({ length: 600 }, (_, index) => index + 1),
    );
  });

  it('fetches replies that lie side by side in one read, and asks for no status of it', async () => {
    const stub = new ScriptedStub();
    for (let sequence = 1; sequence <= 14; sequence++) stub.reply(sequence);
    const reads: [number, unknown][] = [];
    const readMemory = stub.readMemory.bind(stub);
    stub.readMemory = async (address: number, length: number, _width?: unknown, check?: unknown) => {
      reads.push([length, check]);
      return readMemory(address, length);
    };
    stub.say(0, 14);
    await stub.drive(stub.host.turn());
    for (let sequence = 15; sequence <= 18; sequence++) stub.reply(sequence);
    stub.say(0, 18);
    await stub.drive(stub.host.turn());
    assert.deepEqual(reads, [
      [13 * 256 + 208, 'unchecked'],
      [208, 'unchecked'],
      [2 * 256 + 208, 'unchecked'],
    ]);
  });

  it('reads a reply again that arrived damaged', async () => {
    const stub = new ScriptedStub();
    stub.reply(1);
    stub.ram[0x4000 + 0x1ff - 16] ^= 1;
    stub.say(0, 1);
    let reads = 0;
    const readMemory = stub.readMemory.bind(stub);
    stub.readMemory = async (address: number, length: number) => {
      if (++reads === 2) stub.reply(1);
      return readMemory(address, length);
    };
    const { replies } = await stub.drive(stub.host.turn());
    assert.equal(replies.length, 1);
  });

  const LIES: readonly [string, (stub: ScriptedStub) => void][] = [
    ['frames accepted that were never written', (stub) => stub.say(7, 0)],
    ['fewer frames accepted than before', (stub) => stub.say(0xffff, 0)],
    ['more replies than the ring holds', (stub) => stub.say(0, 17)],
    ['a reply that is not there', (stub) => stub.say(0, 1)],
    ['a state nobody knows', (stub) => stub.say(0, 0, 77)],
  ];
  for (const [what, lie] of LIES) {
    it(`does not believe ${what}`, async () => {
      const stub = new ScriptedStub();
      stub.queueFrames(1, 3);
      await stub.drive(stub.turns(2));
      lie(stub);
      await assert.rejects(stub.drive(stub.turns(2)), { code: 'BF-STUB-MAILBOX' });
    });
  }

  it('tells lost power from a lie', async () => {
    const stub = new ScriptedStub();
    stub.ram.fill(0x5a);
    await assert.rejects(stub.drive(stub.turns(1)), { code: 'BF-STUB-SILENT' });
  });

  it('bounds what it holds and tells the credit', () => {
    const stub = new ScriptedStub();
    assert.equal(stub.host.credit(), HOST_LIMITS.commands);
    assert.equal(stub.host.credit(), undefined);
    stub.queueFrames(1, HOST_LIMITS.commands, 192);
    assert.throws(() => stub.queueFrames(HOST_LIMITS.commands + 1, HOST_LIMITS.commands + 1), {
      code: 'BF-TUNNEL-ORDER',
    });
  });

  it('raises the credit as frames are accepted', async () => {
    const stub = new ScriptedStub();
    stub.host.credit();
    stub.queueFrames(1, 300, 192);
    stub.onPoll = () => stub.say(Math.min(300, stub.writes.length), 0);
    await stub.drive(stub.turns(100));
    assert.equal(stub.host.accepted, 300);
    assert.equal(stub.host.credit(), 300 + HOST_LIMITS.commands);
  });

  it('refuses gaps, repetitions and foreign sizes', () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 2);
    assert.throws(() => stub.queueFrames(1, 1), { code: 'BF-TUNNEL-ORDER' });
    assert.throws(() => stub.queueFrames(4, 4), { code: 'BF-TUNNEL-ORDER' });
    assert.throws(() => stub.host.queue({ sequence: 3, box: new Uint8Array(200) }), { code: 'BF-TUNNEL-MESSAGE' });
  });

  it('polls at once after progress, then backs off to 5 ms, later to 50 ms', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 1);
    const pauses: number[] = [];
    const watch = async (): Promise<void> => {
      for (let turn = 0; turn < 8; turn++) pauses.push((await stub.host.turn()).pauseMs);
    };
    await stub.drive(watch());
    assert.deepEqual(pauses, [0, 1, 2, 4, 5, 5, 5, 5]);
    stub.say(1, 0);
    assert.equal((await stub.drive(stub.host.turn())).pauseMs, 0);
    await stub.drive(stub.turns(3000));
    assert.equal((await stub.drive(stub.host.turn())).pauseMs, 50);
  });

  it('looks at DHCSR only after two quiet seconds, and says what it sees', async () => {
    const FOUND: readonly [number, string, RegExp][] = [
      [0x01090001, 'BF-STUB-CRASHED', /locked up/],
      [0x00030003, 'BF-STUB-CRASHED', /halted/],
      [0x03010001, 'BF-STUB-SILENT', /reset/],
    ];
    for (const [dhcsr, code, detail] of FOUND) {
      const stub = new ScriptedStub();
      stub.queueFrames(1, 1);
      await stub.drive(stub.turns(50));
      assert.equal(stub.looks, 0);
      stub.dhcsr = dhcsr;
      await assert.rejects(stub.drive(stub.turns(2000)), (error: { code: string; detail: string }) => {
        return error.code === code && detail.test(error.detail) && stub.queue.now() < 2200;
      });
    }
  });

  it('gives a stub up that takes no frame for thirty seconds, and waits on one that has nothing to do', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 1);
    await assert.rejects(stub.drive(stub.turns(100_000)), { code: 'BF-STUB-SILENT' });
    const idle = new ScriptedStub();
    await idle.drive(idle.turns(3500));
    assert.equal(idle.queue.now() > 40_000, true);
  });

  it('waits seventy seconds for a stub that erases everything, not for ever', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 1);
    stub.set(ACTIVITY, 0xff01);
    await stub.drive(stub.turns(2400));
    assert.equal(stub.queue.now() > 40_000, true);
    await assert.rejects(stub.drive(stub.turns(100_000)), { code: 'BF-STUB-SILENT' });
    assert.equal(stub.queue.now() >= 70_000 && stub.queue.now() < 73_000, true);
  });

  it('writes no frame once the session is over', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 3);
    stub.say(0, 0, 7);
    await stub.drive(stub.turns(3));
    assert.equal(stub.writes.length, 0);
  });

  it('repeats an access the wire spoilt, recovers a confused probe, and gives up the third time', async () => {
    const stub = new ScriptedStub();
    stub.failNext = [fail('BF-TARGET-WIRE'), fail('BF-PROBE-TIMEOUT')];
    await stub.drive(stub.turns(1));
    assert.equal(stub.recovered, 1);
    stub.failNext = [fail('BF-TARGET-FAULT'), fail('BF-TARGET-FAULT'), fail('BF-TARGET-FAULT')];
    await assert.rejects(stub.drive(stub.turns(1)), { code: 'BF-TARGET-FAULT' });
    stub.failNext = [fail('BF-PROBE-UNPLUGGED')];
    await assert.rejects(stub.drive(stub.turns(1)), { code: 'BF-PROBE-UNPLUGGED' });
  });

  it('reaches for nothing but the mailbox', async () => {
    const stub = new ScriptedStub();
    const mailbox = new Mailbox(LAYOUTS.stm32f42x, stub as Probe, stub.queue, silentLog);
    for (const address of [0x20000000, 0x10000000, 0x2002e000, 0x08000000]) {
      await assert.rejects(mailbox.readAt(address, 4), { code: 'BF-INTERNAL-ARGUMENT' });
    }
  });
});
