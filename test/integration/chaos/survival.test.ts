// What chaos runs have found, each as a test of its own (docs/reliability.md, "Found by chaos").
import assert from 'node:assert/strict';
import { Waits } from '../../../controller/job/waits.ts';
import { fail, isBlindflashError } from '../../../shared/errors/errors.ts';
import { silentLog } from '../../../shared/ports.ts';
import { CONTROL } from '../../../shared/mailbox/layout.ts';
import { controlAddress } from '../../fixtures/f42x.ts';
import { TargetSession } from '../../../agent/target/target-session.ts';
import type { Probe } from '../../../agent/probe/probe.ts';
import { EventQueue } from '../../../sim/event-queue.ts';
import { ShortMemory } from '../../../agent/session/ports.ts';
import type { JobEvent } from '../../../controller/job/ports.ts';
import { BoardFixture, STUBS } from '../../fixtures/board.ts';
import { bootable, FLASH_BYTES, tinyImage } from '../../fixtures/images.ts';
import { ProductFixture } from '../../fixtures/product.ts';
import nacl from 'tweetnacl';
import { play, scriptOf } from '../../chaos/play.ts';
import type { ChaosProduct } from '../../chaos/product.ts';

const DEMCR = 0xe000edfc;
const AIRCR = 0xe000ed0c;
const DHCSR = 0xe000edf0;
const TRCENA = 1 << 24;

describe('found by chaos', function () {
  this.timeout(60_000);

  it('a reset that fails leaves the cycle counter to the stub that goes on running', async () => {
    const fixture = new BoardFixture();
    const driver = fixture.probe();
    let broken = false;
    const probe = new Proxy<Probe>(driver, {
      get: (target, name) => {
        if (name === 'writeWord') {
          return (address: number, value: number) =>
            broken && address === AIRCR
              ? Promise.reject(fail('BF-PROBE-GARBAGE', 'scripted'))
              : target.writeWord(address, value);
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value as (...words: unknown[]) => unknown).bind(target) : value;
      },
    });
    const inviteTag = new Uint8Array(8);
    const agent = new TargetSession({ probe, clock: fixture.queue, log: silentLog, stubs: STUBS, inviteTag });
    const word = (address: number): number => fixture.board.bus.read(address, 4, 'debugger') >>> 0;
    await fixture.queue.drive(
      (async () => {
        await agent.attach(false);
        const found = word(DEMCR);
        await agent.startStub({
          sealedPublic: new Uint8Array(32),
          hostEntropy: new Uint8Array(32),
          planBytes: new Uint8Array(4),
        });
        broken = true;
        await assert.rejects(agent.finish('run'));
        assert.equal(word(DEMCR) & TRCENA, TRCENA);
        assert.notEqual(word(controlAddress('MAGIC')), 0);
        broken = false;
        await agent.finish('run');
        assert.equal(word(DEMCR), found);
      })(),
      60e9,
    );
    assert.equal(CONTROL.MAGIC.offset, 0);
  });

  it('a mailbox that a stub left in RAM when the board was started is not waited for: the stub is loaded anew', async () => {
    const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
    flash.set(bootable(11, 4096));
    const product = new ProductFixture({ seed: 345, board: { flash } });
    const image = tinyImage();
    const memory = new ShortMemory();
    const record = product.record(image, product.planFor(image));
    const control = new AbortController();
    const events: JobEvent[] = [];
    const job = product.startVendor(image, record, events);
    const ended = assert.rejects(job.done);
    const first = product.runAgent(record, { memory, signal: control.signal });
    await product.queue.runUntil(() => memory.stubLoaded);
    control.abort();
    assert.equal((await product.queue.drive(first)).board, 'running');
    job.interrupt();
    await product.queue.drive(ended);
    // An agent that looked at the chip, noted that it loads a stub, and failed before the reset it was about to make.
    product.board.bus.read(DHCSR, 4, 'debugger');
    memory.countLoad();
    const kept = product.saved.at(-1)!;
    const options = { memory };
    const second = product.startVendor(image, kept, events, options);
    const { receipt } = await product.finish(second, product.runAgent(kept, options), events);
    assert.ok(receipt);
  });

  it('a limit begins anew when the other side comes back, and does not run while it is away', async () => {
    const queue = new EventQueue();
    const waiting = new Waits(queue);
    let ready: true | undefined;
    queue.after(50_000, () => waiting.suspend(true));
    queue.after(400_000, () => {
      waiting.suspend(false);
      waiting.alive();
    });
    queue.after(410_000, () => {
      ready = true;
      waiting.notify();
    });
    const limit = { ms: 60_000, since: 'start', error: () => fail('BF-STUB-SILENT') } as const;
    assert.equal(await queue.drive(waiting.until(() => ready, limit)), true);
    ready = undefined;
    const before = queue.now();
    await assert.rejects(queue.drive(waiting.until(() => ready, limit)), (error) =>
      isBlindflashError(error, 'BF-STUB-SILENT'),
    );
    assert.equal(queue.now() - before, 60_000);
  });
});

describe('chaos itself', function () {
  this.timeout(120_000);

  it('plays a seed the same way twice', async () => {
    const [first, second] = [await play(8), await play(8)];
    assert.deepEqual(first.broken, []);
    assert.equal(first.hash, second.hash);
    assert.deepEqual(first.log, second.log);
  });

  const PLANTS: Readonly<Record<string, (product: ChaosProduct) => void>> = {
    falseReceipt: ({ stored }) => stored.push({ ...stored[0]!, flashGood: false }),
    oneReceipt: ({ stored }) => stored.push({ ...stored[0]!, key: 'another unit' }),
    outsidePlan: ({ board }) => (board.flash.bytes[0x1f0100]! ^= 1),
    optionBytes: ({ board }) => (board.options.words.user ^= 0x80),
    halfImage: ({ board }) => (board.flash.bytes[0x40]! ^= 1),
    nonceTwice: () => {
      for (let times = 0; times < 2; times++) nacl.secretbox(new Uint8Array(1), new Uint8Array(24), new Uint8Array(32));
    },
    codeQuestions: ({ questions }) => {
      questions.asked(1000);
      questions.asked(1000);
    },
    plaintext: ({ captures, chaos }) => captures.relay.push(chaos.image.segments[0]!.bytes.slice(300, 316)),
    memory: (product) => (product.mostTimers = 1000),
    outcome: (product) => (product.vendorEnd = { good: false, text: 'planted' }),
  };
  for (const [name, plant] of Object.entries(PLANTS)) {
    it(`notices a broken ${name}`, async () => {
      const { broken } = await play(6, { sabotage: plant });
      assert.ok(
        broken.some((sentence) => sentence.startsWith(`${name}: `)),
        broken.join('; '),
      );
    });
  }

  it('plays different faults for different seeds, and the same for the same', () => {
    assert.deepEqual(scriptOf(41), scriptOf(41));
    assert.notDeepEqual({ ...scriptOf(41), seed: 0 }, { ...scriptOf(42), seed: 0 });
  });
});
