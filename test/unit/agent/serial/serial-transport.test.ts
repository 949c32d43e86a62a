// The agent's end of the serial link over a line that loses, repeats, damages and delays (docs/serial-link.md): all
// arrives once and in order, or the trouble is told by its code.
import assert from 'node:assert/strict';

import { SerialTransport } from '../../../../agent/transport/serial/serial-transport.ts';
import { isBlindflashError } from '../../../../shared/errors/errors.ts';
import { silentLog } from '../../../../shared/ports.ts';
import { EventQueue } from '../../../../sim/event-queue.ts';
import { seededRandom } from '../../../fixtures/seeded.ts';
import { pause } from '../../../../agent/probe/deadline.ts';
import { LOADER_HASH, QUIET_LINE, replyTo, ScriptedLoader, type LineFaults } from './scripted-loader.ts';

const job = {
  sealedPublic: new Uint8Array(32).fill(1),
  hostEntropy: new Uint8Array(32).fill(2),
  planBytes: new Uint8Array(64).fill(3),
};
const m2For = (m1: Uint8Array) => Uint8Array.from({ length: 128 }, (_, at) => (at < 4 ? (m1[at] as number) : 9));

class LinkFixture {
  readonly queue = new EventQueue();
  readonly loader: ScriptedLoader;
  readonly transport: SerialTransport;
  readonly replies: Uint8Array[] = [];

  constructor(seed = 1, faults: LineFaults = QUIET_LINE) {
    this.loader = new ScriptedLoader(this.queue, seed, faults);
    this.transport = new SerialTransport({ source: this.loader, clock: this.queue, log: silentLog });
  }

  /** Virtual seconds at most. */
  run<T>(work: () => Promise<T>, seconds = 600): Promise<T> {
    return this.queue.drive(work(), (this.queue.now() + seconds * 1000) * 1e6);
  }

  /** A session; one that was begun on a handshake the line repeated is begun anew, as an agent does. */
  async shake(): Promise<void> {
    let offer = await this.transport.giveJob(job);
    for (let attempt = 0; ; attempt++) {
      assert.deepEqual(offer.stubHash, LOADER_HASH);
      try {
        const m3 = await this.transport.giveM2(m2For(offer.m1));
        assert.deepEqual(m3.slice(0, 4), offer.m1.slice(0, 4));
        return;
      } catch (error) {
        assert.ok(isBlindflashError(error, 'BF-STUB-AUTHENTICATION') && attempt < 10, String(error));
        offer = await this.transport.offerAgain();
      }
    }
  }

  /** Feeds all boxes as credit allows, and takes replies until the session has ended. */
  async feed(boxes: readonly Uint8Array[], every: () => void = () => {}): Promise<void> {
    let [next, credit] = [0, 0];
    for (;;) {
      credit = this.transport.credit() ?? credit;
      while (next < boxes.length && next < credit) {
        this.transport.queue({ sequence: next + 1, box: boxes[next] as Uint8Array });
        next++;
      }
      const turn = await this.transport.turn();
      for (const { sequence, box } of turn.replies) {
        assert.equal(sequence, this.replies.length + 1);
        this.replies.push(box);
      }
      if (turn.state === 'ended') return;
      assert.equal(turn.state, 'active');
      every();
      await pause(this.queue, turn.pauseMs);
    }
  }
}

/** Boxes as a job has them, the last of which ends it. */
function boxesOf(seed: number, count: number): Uint8Array[] {
  const random = seededRandom(seed);
  const boxes = Array.from({ length: count }, () => {
    const box = random.bytes(random.int(3) === 0 ? 192 : 4064);
    box[0] = 0x11;
    return box;
  });
  return [...boxes, new Uint8Array(192).fill(0xee)];
}

function requireWhole(fixture: LinkFixture, boxes: readonly Uint8Array[]): void {
  assert.equal(fixture.loader.taken.length, boxes.length);
  for (const [at, box] of boxes.entries()) assert.deepEqual(fixture.loader.taken[at], box, `box ${at + 1}`);
  const answered = boxes.filter(({ length }) => length === 192);
  assert.deepEqual(
    fixture.replies,
    answered.map((box, at) => replyTo(at + 1, box)),
  );
  assert.equal(fixture.transport.accepted, boxes.length);
  assert.equal(fixture.transport.acceptedImages, boxes.length - answered.length);
}

const SEEDS = Number(process.env['BLINDFLASH_SERIAL_SEEDS'] ?? 60);

describe('serial transport: a line that loses, repeats, damages and delays', function () {
  this.timeout(120_000);

  it(`brings everything across once and in order, ${SEEDS} times`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const dice = seededRandom(1000 + seed);
      const chance = () => dice.int(120) / 1000;
      const faults = { drop: chance(), repeat: chance(), damage: chance(), delayMs: dice.int(40), goodUpTo: 1e9 };
      const fixture = new LinkFixture(seed, faults);
      const boxes = boxesOf(seed, 1 + dice.int(25));
      await fixture.run(async () => {
        await fixture.transport.open(10_000);
        await fixture.shake();
        await fixture.feed(boxes);
        await fixture.transport.close();
      });
      requireWhole(fixture, boxes);
    }
  });
});

describe('serial transport: finding the loader and the bit rate', () => {
  it('goes up to the highest rate the loader takes', async () => {
    for (const [most, rate] of [
      [921_600, 921_600],
      [500_000, 460_800],
      [115_200, 115_200],
    ] as const) {
      const fixture = new LinkFixture();
      fixture.loader.mostBaud = most;
      const ident = await fixture.run(() => fixture.transport.open(1000));
      assert.equal(ident.mostBaud, most);
      assert.equal(fixture.transport.rate, rate);
      assert.equal(fixture.loader.rates.at(-1), rate);
    }
  });

  it('takes no rate at which long packets arrive damaged, and works at the one below', async () => {
    const fixture = new LinkFixture(1, { ...QUIET_LINE, goodUpTo: 300_000 });
    const boxes = boxesOf(5, 10);
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      await fixture.shake();
      await fixture.feed(boxes);
    });
    assert.equal(fixture.transport.rate, 230_400);
    assert.ok(fixture.loader.rates.includes(921_600) && fixture.loader.rates.includes(460_800));
    requireWhole(fixture, boxes);
  });

  it('takes no rate at which a single long packet in two arrives damaged', async () => {
    const fixture = new LinkFixture(1, { ...QUIET_LINE, goodUpTo: 500_000, oneIn: 2 });
    await fixture.run(() => fixture.transport.open(1000));
    assert.equal(fixture.transport.rate, 460_800);
  });

  it('knocks for as long as it is told, and says that nobody answers', async () => {
    const fixture = new LinkFixture();
    fixture.loader.deaf = true;
    await assert.rejects(
      fixture.run(() => fixture.transport.open(5000)),
      { code: 'BF-SERIAL-SILENT' },
    );
    assert.ok(fixture.queue.now() >= 5000 && fixture.queue.now() < 5300);
  });

  it('refuses an IDENT of another format, and an M1 of another loader than IDENT named', async () => {
    const later = new LinkFixture();
    later.loader.identFormat = 2;
    await assert.rejects(
      later.run(() => later.transport.open(1000)),
      { code: 'BF-VERSION-MISMATCH' },
    );
    const other = new LinkFixture();
    other.loader.hash = new Uint8Array(64).fill(0x4d);
    await other.run(() => other.transport.open(1000));
    await assert.rejects(
      other.run(() => other.transport.giveJob(job)),
      { code: 'BF-SERIAL-NONSENSE' },
    );
  });

  it('keeps a loader that has nothing to do: it hears something every other second', async () => {
    const fixture = new LinkFixture();
    await fixture.run(() => fixture.transport.open(1000));
    fixture.loader.got.length = 0;
    await fixture.run(() => pause(fixture.queue, 60_500));
    assert.deepEqual([fixture.loader.got.length, new Set(fixture.loader.got)], [30, new Set(['askIdent'])]);
  });
});

describe('serial transport: what befalls a session', () => {
  /** A session in which something happens after so many replies. */
  async function interrupted(happens: (fixture: LinkFixture) => void, after = 3): Promise<LinkFixture> {
    const fixture = new LinkFixture();
    const boxes = boxesOf(9, 30);
    let done = false;
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      await fixture.shake();
      await fixture.feed(boxes, () => {
        if (done || fixture.replies.length < after) return;
        done = true;
        happens(fixture);
      });
    });
    requireWhole(fixture, boxes);
    return fixture;
  }

  it('goes on when the adapter was unplugged and plugged in again', async () => {
    const fixture = await interrupted(({ loader }) => loader.unplug());
    assert.equal(fixture.transport.rate, 921_600);
    assert.equal(fixture.loader.handshakes, 1);
  });

  it('goes on when the loader lost count of the bits', async () => {
    const fixture = await interrupted(({ loader }) => loader.loseCount());
    assert.equal(fixture.transport.rate, 921_600);
  });

  it('waits for what takes long, asking no more often than four times a second', async () => {
    let asked = 0;
    const fixture = await interrupted(({ loader, queue }) => {
      loader.paused = true;
      const before = loader.got.length;
      queue.after(40_000, () => {
        asked = loader.got.slice(before).filter((name) => name === 'again').length;
        loader.resume();
      });
    });
    assert.ok(asked > 100 && asked <= 161, String(asked));
    assert.equal(fixture.loader.handshakes, 1);
  });

  it('asks for an M1 or M3 that was lost, and shakes hands once', async () => {
    const fixture = new LinkFixture();
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      fixture.loader.losesNext.add('m1').add('m3');
      await fixture.shake();
    });
    assert.equal(fixture.loader.handshakes, 1);
    assert.deepEqual(
      ['job', 'm2'].map((name) => fixture.loader.got.filter((got) => got === name).length),
      [1, 1],
    );
  });

  it('sends again what was lost, and not over and over', async () => {
    const fixture = new LinkFixture(3, { ...QUIET_LINE, drop: 0.05, goodUpTo: 115_200 });
    fixture.loader.mostBaud = 115_200;
    const boxes = boxesOf(3, 40);
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      await fixture.shake();
      await fixture.feed(boxes);
    });
    requireWhole(fixture, boxes);
    const sent = fixture.loader.got.filter((name) => name === 'command').length;
    assert.ok(sent < 1.3 * boxes.length, `${sent} commands for ${boxes.length}`);
  });

  it('tells again which replies it has, when the loader was not told and has room for no more', async () => {
    const fixture = new LinkFixture();
    const boxes = [...Array.from({ length: 40 }, () => new Uint8Array(192).fill(0x11)), new Uint8Array(192).fill(0xee)];
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      await fixture.shake();
      fixture.loader.losesFetched = true;
      fixture.queue.after(3000, () => (fixture.loader.losesFetched = false));
      await fixture.feed(boxes);
    });
    requireWhole(fixture, boxes);
  });

  const fails = async (code: string, happens: (fixture: LinkFixture) => void) => {
    const fixture = new LinkFixture();
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      await fixture.shake();
    });
    happens(fixture);
    const begun = fixture.queue.now();
    await assert.rejects(
      fixture.run(() => fixture.feed(boxesOf(2, 5))),
      { code },
    );
    return fixture.queue.now() - begun;
  };

  it('tells of a board that was reset', async () => {
    await fails('BF-LOADER-SILENT', ({ loader }) => loader.reset());
  });

  it('tells of a loader that is gone, after ten seconds of knocking', async () => {
    const ms = await fails('BF-SERIAL-SILENT', ({ loader }) => {
      loader.deaf = true;
      loader.loseCount();
    });
    assert.ok(ms >= 12_000 && ms < 16_000, String(ms));
  });

  it('tells of a port that does not come back, after a minute', async () => {
    const ms = await fails('BF-SERIAL-GONE', ({ loader }) => {
      loader.away = true;
      loader.unplug();
    });
    assert.ok(ms >= 60_000 && ms < 62_000, String(ms));
  });

  it('tells of a port that is back with nobody at its end, after ten seconds of knocking; the second time after one', async () => {
    const fixture = new LinkFixture();
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      await fixture.shake();
    });
    fixture.loader.deaf = true;
    fixture.loader.unplug();
    const msToSilence = async () => {
      const begun = fixture.queue.now();
      await assert.rejects(
        fixture.run(() => fixture.transport.state()),
        { code: 'BF-SERIAL-SILENT' },
      );
      return fixture.queue.now() - begun;
    };
    const [first, second] = [await msToSilence(), await msToSilence()];
    assert.ok(first >= 10_000 && first < 12_000, String(first));
    assert.ok(second >= 1000 && second < 2000, String(second));
    await fixture.run(async () => assert.equal(await fixture.transport.canOfferAgain(), false));
  });

  it('believes no number that cannot be', async () => {
    await fails('BF-SERIAL-NONSENSE', ({ loader }) => (loader.taken = Array<Uint8Array>(50).fill(new Uint8Array(1))));
  });

  it('a session that is stopped leaves no key, and its loader can be asked for another one', async () => {
    const fixture = new LinkFixture();
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      assert.equal(await fixture.transport.canOfferAgain(), false);
      await fixture.shake();
      await fixture.transport.stop();
      assert.equal(fixture.loader.state, 'expired');
      assert.equal(await fixture.transport.canOfferAgain(), true);
      const { m1 } = await fixture.transport.offerAgain();
      assert.equal(m1[0], 2);
      await fixture.transport.giveM2(m2For(m1));
      assert.equal(await fixture.transport.state(), 'active');
    });
  });

  it('a loader that has told its end and gone on to its image is not looked for to be stopped', async () => {
    const fixture = new LinkFixture();
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      await fixture.shake();
      fixture.transport.queue({ sequence: 1, box: new Uint8Array(192).fill(0xee) });
      await fixture.transport.turn();
      await pause(fixture.queue, 200);
      assert.equal(fixture.loader.got.at(-1), 'fetched');
      fixture.loader.deaf = true;
      fixture.loader.loseCount();
      const begun = fixture.queue.now();
      await fixture.transport.stop();
      assert.equal(fixture.queue.now(), begun);
    });
  });

  it('an M2 for another handshake is refused by its own reason', async () => {
    const fixture = new LinkFixture();
    await fixture.run(async () => {
      await fixture.transport.open(1000);
      const { m1 } = await fixture.transport.giveJob(job);
      await assert.rejects(fixture.transport.giveM2(m2For(Uint8Array.of(7, ...m1.slice(1)))), {
        code: 'BF-STUB-AUTHENTICATION',
      });
      assert.equal((await fixture.transport.stopReason('aborted')).code, 'BF-STUB-AUTHENTICATION');
    });
  });

  it('takes no command out of turn, beyond the credit or of another size', () => {
    const { transport } = new LinkFixture();
    const box = new Uint8Array(192);
    transport.queue({ sequence: 1, box });
    for (const sequence of [1, 3]) assert.throws(() => transport.queue({ sequence, box }), { code: 'BF-TUNNEL-ORDER' });
    assert.throws(() => transport.queue({ sequence: 2, box: new Uint8Array(191) }), { code: 'BF-TUNNEL-MESSAGE' });
    for (let sequence = 2; sequence <= 2048; sequence++) transport.queue({ sequence, box });
    assert.throws(() => transport.queue({ sequence: 2049, box }), { code: 'BF-TUNNEL-ORDER' });
  });
});
