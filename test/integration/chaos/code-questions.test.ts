// How often the vendor is asked for the code (docs/protocol.md §8 "D", §11): once more when the chip has lost its key,
// and never because a process died, a link broke or a box did not open. One fault strikes while the chip works, and the
// whole product goes on to its receipt.
import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { CodeQuestions } from '../../chaos/code-questions.ts';
import { play, type Result, type Script } from '../../chaos/play.ts';
import type { ChaosProduct } from '../../chaos/product.ts';
import { MEMORY } from '../../fixtures/f42x.ts';

const SCRIPT: Partial<Script> = {
  cast: 'faults',
  faults: [],
  weather: { delayMs: 5, jitterMs: 0, stallOneIn: 0, stallMs: 0, bytesPerMs: 12_500 },
  lock: 'none',
  imageBytes: 17_000,
  idleLimitMs: 20_000,
};
const REPLY = 8;
const TYPE_AT = 4;
const TRAILER_BYTES = 16;

type Strike = (product: ChaosProduct) => void;
/** sealed: no sealed command is in the mailbox yet; erased: all are, the image is small. */
type When = 'sealed' | 'erased';

/** Strikes once. */
async function struck(strike: Strike, when: When): Promise<Result> {
  const result = await play(7, {
    script: SCRIPT,
    repeats: true,
    prepare: (product) => {
      let armed = true;
      product.onJobEvent = ({ type }) => {
        if (!armed || type !== when) return;
        armed = false;
        product.queue.after(0, () => strike(product));
      };
    },
  });
  assert.deepEqual(result.broken, []);
  assert.equal(result.ended, 'good');
  return result;
}

const said = ({ log }: Result, what: RegExp): number => log.filter((line) => what.test(line)).length;

/** The agent's program says something else in its next REPLY. */
function spoilReply({ crypto }: ChaosProduct): void {
  crypto.lie = (plaintext) => {
    if (plaintext[TYPE_AT] !== REPLY) return plaintext;
    crypto.lie = undefined;
    const other = plaintext.slice();
    other[other.length - 1]! ^= 1;
    return other;
  };
}

/** The next sealed command arrives in the mailbox with another bit, and a sum that fits it. */
function spoilCommand(product: ChaosProduct): void {
  const { commands } = MEMORY;
  product.tampering = {
    read: (_, bytes) => bytes,
    write: (address, bytes) => {
      if (address < commands.address || address >= commands.address + commands.size) return undefined;
      product.tampering = undefined;
      const other = bytes.slice();
      const end = other.length - TRAILER_BYTES;
      other[0]! ^= 1;
      const covered = Buffer.concat([other.subarray(0, end + 4), other.subarray(-4)]);
      new DataView(other.buffer).setUint32(end + 4, crc32(covered), true);
      return [[address, other]];
    },
  };
}

function cutPower({ board, queue }: ChaosProduct): void {
  board.powerOff();
  queue.after(500, () => board.powerOn());
}

function sleepFor(ms: number): Strike {
  return (product) => {
    const asleep = product.customerProcess;
    asleep?.sleep();
    product.net.breakLinks('agent', true);
    product.queue.after(ms, () => asleep?.wake());
  };
}

describe('questions for the code', function () {
  this.timeout(60_000);

  const NONE: Readonly<Record<string, readonly [When, Strike, shows: RegExp]>> = {
    'the agent is killed': ['erased', (product) => product.killAgent(), /agent killed/],
    'the controller is killed': ['erased', (product) => product.killVendor(), /controller killed/],
    'the agent’s link breaks': ['erased', ({ net }) => net.breakLinks('agent', false), /peer present=false/],
    'the relay is killed and started again': [
      'erased',
      ({ net, queue }) => {
        net.stopRelay(false);
        queue.after(1000, () => net.startRelay());
      },
      /agent +“The vendor is there/,
    ],
    'the laptop sleeps less than the idle limit': ['erased', sleepFor(10_000), /sealed/],
    'a box does not open at the controller': ['erased', spoilReply, /sealed uid=.* handshake=2/],
    'a box does not open on the chip': ['sealed', spoilCommand, /sealed uid=.* handshake=2/],
  };
  for (const [what, [when, strike, shows]] of Object.entries(NONE)) {
    it(`none more when ${what}`, async () => {
      const result = await struck(strike, when);
      assert.ok(said(result, shows) > 0, result.log.join('\n'));
      assert.equal(result.questions, 1, result.log.join('\n'));
    });
  }

  const ONE: Readonly<Record<string, readonly [When, Strike]>> = {
    'the board loses its power': ['erased', cutPower],
    'keys expire on the chip': ['sealed', sleepFor(60_000)],
  };
  for (const [what, [when, strike]] of Object.entries(ONE)) {
    it(`exactly one more when ${what}`, async () => {
      const result = await struck(strike, when);
      assert.equal(result.questions, 2, result.log.join('\n'));
      assert.equal(said(result, /sealed uid=/), 2);
      assert.equal(said(result, /(vendor|agent) +starts/), 2, 'nobody starts a program again');
    });
  }

  it('one for each time the board loses its power', async () => {
    let cuts = 0;
    const result = await play(7, {
      script: SCRIPT,
      prepare: (product) => {
        product.onJobEvent = ({ type }) => {
          if (type === 'erased' && cuts++ < 3) product.queue.after(0, () => cutPower(product));
        };
      },
    });
    assert.deepEqual([result.broken, result.ended, result.questions], [[], 'good', 4]);
  });
});

describe('the watch over the questions', () => {
  const [key, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const uid = '0b'.repeat(12);
  type Device = ReturnType<ConstructorParameters<typeof CodeQuestions>[0]>['devices'][number];
  const device = (of: Uint8Array, unit = uid): Device => ({ key: of, uid: unit, questionsLeft: 256 });

  function watch(devices: readonly Device[]) {
    const disk: { devices: readonly Device[] } = { devices };
    const questions = new CodeQuestions(() => ({ devices: disk.devices, uid }));
    const offer = (of: Uint8Array): void => {
      const plaintext = new Uint8Array(205);
      plaintext[TYPE_AT] = 4;
      plaintext.set(of, 173);
      questions.sealed({ direction: 1, purpose: 0x54, plaintext });
    };
    const image = (): void => questions.sealed({ direction: 2, purpose: 0x53, plaintext: Uint8Array.of(1, 0, 4, 0) });
    return { questions, disk, offer, image };
  }

  it('lets a job by the rules pass: asked, right, on record, image; a new key, asked, right, on record, image', () => {
    const { questions, disk, offer, image } = watch([]);
    questions.asked(1);
    questions.answeredRight(1);
    offer(key);
    disk.devices = [device(key)];
    image();
    offer(other);
    questions.asked(2);
    questions.answeredRight(2);
    disk.devices = [device(key), device(other)];
    image();
    assert.deepEqual(questions.breaches, []);
    assert.equal(questions.count, 2);
  });

  const BREACHES: Readonly<Record<string, readonly [(watched: ReturnType<typeof watch>) => void, RegExp]>> = {
    'two questions in one tunnel': [
      ({ questions }) => {
        questions.asked(1);
        questions.asked(1);
      },
      /asked twice in tunnel 1/,
    ],
    'a question although the chip is on record': [
      ({ questions, disk, offer }) => {
        disk.devices = [device(key)];
        offer(key);
        questions.asked(2);
      },
      /although the chip is on record/,
    ],
    'an image before a chip is on record': [
      ({ questions, image }) => {
        questions.asked(1);
        questions.answeredRight(1);
        image();
      },
      /not on record/,
    ],
    'an image before the code was right': [
      ({ questions, disk, image }) => {
        questions.asked(1);
        disk.devices = [device(key)];
        image();
      },
      /1 chips on record after 0 codes/,
    ],
    'a chip on record with the UID of another': [
      ({ questions, disk, image }) => {
        questions.asked(1);
        questions.answeredRight(1);
        disk.devices = [device(key, '0c'.repeat(12))];
        image();
      },
      /another unit/,
    ],
  };
  for (const [what, [happens, says]] of Object.entries(BREACHES)) {
    it(`notices ${what}`, () => {
      const watched = watch([]);
      happens(watched);
      assert.match(watched.questions.breaches.join('; '), says);
    });
  }
});
