// Codecs of tunnel and sealed session, invite, receipt, texts, bytes: round trips, refusals, and what garbage does
// (docs/protocol.md §3, §6, §8, §10). Only coded errors may come out.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fromBase64url, fromHex, isZero, Reader, toBase64url, toHex, Writer } from '../../../shared/codec/bytes.ts';
import { decodeInvite } from '../../../shared/tunnel/invite.ts';
import { parseSigned, verifyReceipt } from '../../../shared/plan/receipt.ts';
import { decodeCommand, decodeReply, encodeCommand, encodeReply } from '../../../shared/sealed/messages.ts';
import {
  decodeSessionChoice,
  decodeStubFacts,
  encodeSessionChoice,
  encodeStubFacts,
} from '../../../shared/sealed/payloads.ts';
import { isForeignText, rawText } from '../../../shared/codec/foreign-text.ts';
import { isoTime } from '../../../shared/codec/iso-time.ts';
import { satisfiesPolicy } from '../../../shared/plan/modes.ts';
import type { OwnHello } from '../../../shared/tunnel/bodies.ts';
import {
  decodeMessage,
  encodeMessage,
  MESSAGES,
  type MessageOf,
  type OwnMessage,
} from '../../../shared/tunnel/messages.ts';
import { decodeWire, encodeWire, type Wire } from '../../../shared/tunnel/wire.ts';
import { onlyCoded, refuses, verify } from './support.ts';

/** A message as it was written: foreign text as the string it came as. */
const plain = (value: unknown): unknown => {
  if (isForeignText(value)) return rawText(value);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
};
const bytes = (length: number, fill = 7) => new Uint8Array(length).fill(fill);

const hello: OwnHello = {
  agent: '0.1.0',
  stubs: ['ab'.repeat(64)],
  probe: { kind: 'ST-LINK/V2-1', firmware: 'V2J45M31', serial: '066BFF', millivolts: 3280 },
  target: {
    devId: 0x419,
    revId: 0x2003,
    uid: '00'.repeat(12),
    flashKiB: 2048,
    rdp: 0,
    optcr: 0x0fffaaed,
    optcr1: 0x0fff0000,
  },
};
const samples: readonly OwnMessage[] = [
  { name: 'ACK' },
  { name: 'HELLO', hello },
  { name: 'JOB', sealedPublic: bytes(32), receiptPublic: bytes(32, 9), hostEntropy: bytes(32, 8), plan: bytes(120) },
  { name: 'CONSENT', yes: true, planHash: bytes(64) },
  { name: 'SEALED1', stubHash: bytes(64), m1: bytes(136) },
  { name: 'SEALED1', stubHash: bytes(64), m1: bytes(168) },
  { name: 'SEALED2', m2: bytes(128) },
  { name: 'SEALED3', m3: bytes(32) },
  { name: 'FRAME', sequence: 1, box: bytes(4064) },
  { name: 'REPLY', sequence: 0xffffffff, box: bytes(192) },
  { name: 'CREDIT', upTo: 40 },
  { name: 'PROGRESS', accepted: 7, wordsProgrammed: 5 },
  { name: 'PROBLEM', problem: { code: 'BF-PROBE-UNPLUGGED', detail: 'gone', board: 'unknown' } },
  { name: 'RESTART' },
  { name: 'BYE', done: true, customer: { receipt: '{}', signature: 'ab'.repeat(64) } },
  { name: 'BYE', done: false, failure: { code: 'BF-JOB-DECLINED', detail: '' } },
  { name: 'LEFT', left: { board: 'running' } },
  { name: 'SHEET' },
  { name: 'OPTIONS', before: { optcr: 0x0fff55ec, optcr1: 1 }, after: { optcr: 0x0fffaaec, optcr1: 0xffffffff } },
];
const sender = (message: OwnMessage) => (MESSAGES[message.name].from === 'controller' ? 'controller' : 'agent');

describe('tunnel messages', () => {
  it('there is a sample of each, numbered as in the table of §6', () => {
    const types = Object.values(MESSAGES).map((row) => row.type);
    assert.deepEqual(
      types,
      Array.from({ length: 17 }, (_, i) => i),
    );
    assert.deepEqual([...new Set(samples.map((message) => message.name))], Object.keys(MESSAGES));
  });

  for (const message of samples) {
    it(`${message.name} survives the round trip, is refused cut, lengthened and from the wrong side`, () => {
      const encoded = encodeMessage(message);
      assert.deepEqual(plain(decodeMessage(sender(message), encoded)), message);
      refuses('BF-TUNNEL-MESSAGE', () => decodeMessage(sender(message), encoded.subarray(0, 0)));
      const grows = message.name === 'FRAME' ? 4065 : 0;
      const longer = Uint8Array.of(...encoded, ...bytes(message.name === 'REPLY' ? 4000 : 1 + grows));
      refuses('BF-TUNNEL-MESSAGE', () => decodeMessage(sender(message), longer));
      if (encoded.length > 1) {
        refuses('BF-TUNNEL-MESSAGE', () =>
          decodeMessage(sender(message), encoded.subarray(0, Math.min(6, encoded.length - 1))),
        );
      }
      if (MESSAGES[message.name].from === 'both') return;
      const stranger = sender(message) === 'agent' ? 'controller' : 'agent';
      refuses('BF-TUNNEL-MESSAGE', () => decodeMessage(stranger, encoded));
    });
  }

  it('JOB and PROGRESS lie as §6 spells them', () => {
    const job = encodeMessage(samples.find(({ name }) => name === 'JOB')!);
    const fields = [[7, 32], [9, 32], [8, 32], [120, 1], [0, 1], [7, 120]] as const; // prettier-ignore
    assert.deepEqual([...job], [2, ...fields.flatMap(([value, count]) => [...bytes(count, value)])]);
    const progress = encodeMessage({ name: 'PROGRESS', accepted: 0x12345, wordsProgrammed: 9 });
    assert.equal(Buffer.from(progress).toString('hex'), '0a4523010009000000');
  });

  it('a plan of more than 1536 bytes fits no JOB', () => {
    const job = samples.find(({ name }) => name === 'JOB') as MessageOf<'JOB'>;
    assert.deepEqual(decodeMessage('controller', encodeMessage({ ...job, plan: bytes(1536) })), {
      ...job,
      plan: bytes(1536),
    });
    refuses('BF-TUNNEL-MESSAGE', () => decodeMessage('controller', encodeMessage({ ...job, plan: bytes(1537) })));
  });

  it('JSON bodies: unknown fields, wrong types, double meaning and excess are refused', () => {
    const body = (value: unknown) =>
      Uint8Array.of(0x0e, ...Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
    for (const bad of [
      { board: 'running', more: 1 },
      { board: 'nowhere' },
      {},
      [],
      null,
      'running',
      '{"board":"running"',
      '{"board":"running"} x',
      '{"board":"running","__proto__":{"x":1}}',
      '{"board":"running","constructor":1}',
      '{"board":"running","board":"running"}',
      '{"board":"untouched", "bo\\u0061rd" :"running"}',
      `{"board":"running"}${' '.repeat(4096)}`,
    ]) {
      refuses('BF-TUNNEL-MESSAGE', () => decodeMessage('agent', body(bad)), JSON.stringify(bad));
    }
    refuses('BF-TUNNEL-MESSAGE', () => decodeMessage('agent', Uint8Array.of(0x0e, 0xff, 0xfe)));
    const hellos = [
      JSON.stringify(hello).replace('"rdp":0', '"rdp":1,"rdp":0'),
      JSON.stringify(hello).replace('"kind"', '"serial":"","kind"'),
    ];
    for (const text of hellos) {
      refuses('BF-TUNNEL-MESSAGE', () => decodeMessage('agent', Uint8Array.of(0x01, ...Buffer.from(text))), text);
    }
    const changes = [
      ...[{ uid: 'AB'.repeat(12) }, { uid: '00'.repeat(11) }, { rdp: 3 }, { optcr: -1 }, { optcr: 1.5 }],
      ...[{ devId: 0x1000 }, { revId: 0x10000 }, { flashKiB: 0x10000 }, { optcr: 2 ** 32 }],
    ];
    for (const change of changes) {
      refuses('BF-INTERNAL-ARGUMENT', () =>
        encodeMessage({ name: 'HELLO', hello: { ...hello, target: { ...hello.target, ...change } as never } }),
      );
    }
  });

  it('texts and numbers keep the bounds of §6, one more is refused', () => {
    const probe = (change: object) => ({ name: 'HELLO', hello: { ...hello, probe: { ...hello.probe, ...change } } });
    const problem = (detail: string) => ({ name: 'PROBLEM', problem: { code: 'BF-USAGE', detail, board: 'unknown' } });
    const failure = (code: string) => ({ name: 'BYE', done: false, failure: { code, detail: '' } });
    const customer = (length: number) => ({
      name: 'BYE',
      done: true,
      customer: { receipt: 'x'.repeat(length), signature: 'ab'.repeat(64) },
    });
    const rows: [good: object, bad: object][] = [
      [probe({ kind: 'x'.repeat(64) }), probe({ kind: 'x'.repeat(65) })],
      [probe({ serial: 'é'.repeat(64) }), probe({ serial: 'é'.repeat(65) })],
      [probe({ millivolts: 100_000 }), probe({ millivolts: 100_001 })],
      [probe({ millivolts: null }), probe({ millivolts: undefined })],
      [
        { name: 'HELLO', hello: { ...hello, stubs: Array(16).fill('ab'.repeat(64)) } },
        { name: 'HELLO', hello: { ...hello, stubs: Array(17).fill('ab'.repeat(64)) } },
      ],
      [problem('x'.repeat(300)), problem('x'.repeat(301))],
      [failure(`BF-${'A'.repeat(40)}`), failure(`BF-${'A'.repeat(41)}`)],
      [failure('BF-0-9'), failure('BF-a')],
      [customer(3000), customer(3001)],
      [
        { name: 'BYE', done: true, customer: { receipt: null, signature: null } },
        { name: 'BYE', done: true, customer: { receipt: '{}', signature: null } },
      ],
    ];
    for (const [good, bad] of rows) {
      const from = sender(good as OwnMessage);
      assert.deepEqual(plain(decodeMessage(from, encodeMessage(good as OwnMessage))), good);
      refuses('BF-INTERNAL-ARGUMENT', () => encodeMessage(bad as OwnMessage), JSON.stringify(bad));
    }
  });

  it('wire items survive the round trip and refuse other sizes', () => {
    const items: Wire[] = [
      { name: 'T1', message: bytes(96) },
      { name: 'T2', message: bytes(112) },
      { name: 'T3', message: bytes(64) },
      { name: 'SPENT', message: bytes(16) },
      { name: 'BOX', sequence: 9, box: bytes(21) },
      { name: 'RESUME', session: bytes(8), have: 77 },
    ];
    for (const item of items) {
      const encoded = encodeWire(item);
      assert.deepEqual(decodeWire(encoded), item);
      if (item.name === 'BOX') continue;
      refuses('BF-TUNNEL-MESSAGE', () => decodeWire(Uint8Array.of(...encoded, 0)));
      refuses('BF-TUNNEL-MESSAGE', () => decodeWire(encoded.subarray(0, -1)));
    }
  });
});

describe('sealed messages', () => {
  it('each non-zero padding byte, kind and size that does not belong is refused', () => {
    const long = encodeCommand({ name: 'IMAGE', address: 0x08000000, data: bytes(164) });
    const short = encodeCommand({ name: 'IMAGE', address: 0x08000000, data: bytes(4) });
    assert.deepEqual([long.length, short.length], [4048, 176]);
    const inLong = new Uint8Array(4048);
    inLong.set(short);
    assert.deepEqual(decodeCommand(inLong), decodeCommand(short), 'a short image may be in a long command');
    for (const [image, used] of [
      [long, 180],
      [short, 20],
    ] as const) {
      for (const offset of [1, 8, 15, used, image.length - 1]) {
        const bad = image.slice();
        bad[offset] = 1;
        refuses('BF-TUNNEL-MESSAGE', () => decodeCommand(bad), `offset ${offset}`);
      }
      for (const count of [0, 2, 3, image.length - 14, image.length - 12]) {
        const bad = image.slice();
        new DataView(bad.buffer).setUint16(2, count, true);
        refuses('BF-TUNNEL-MESSAGE', () => decodeCommand(bad), `count ${count}`);
      }
    }
    const ping = encodeCommand({ name: 'PING' });
    for (let offset = 1; offset < ping.length; offset++) {
      const bad = ping.slice();
      bad[offset] = 0x80;
      refuses('BF-TUNNEL-MESSAGE', () => decodeCommand(bad));
    }
    refuses('BF-TUNNEL-MESSAGE', () => decodeCommand(ping.subarray(0, 175)));
    refuses('BF-TUNNEL-MESSAGE', () => decodeCommand(long.subarray(0, 176)));
    const pong = encodeReply({ name: 'PONG', answers: 1, wordsProgrammed: 1 });
    for (const offset of [1, 2, 3, 12, 175]) {
      const bad = pong.slice();
      bad[offset] = 1;
      refuses('BF-TUNNEL-MESSAGE', () => decodeReply(bad), `offset ${offset}`);
    }
    for (const data of [bytes(0), bytes(3), bytes(4036)]) {
      refuses('BF-INTERNAL-ARGUMENT', () => encodeCommand({ name: 'IMAGE', address: 0, data }));
    }
  });

  it('payloads: reserved bytes, versions and sizes', () => {
    const facts = Uint8Array.of(
      ...encodeStubFacts({
        uid: bytes(12),
        idcode: 1,
        flashKiB: 2,
        stubVersion: 3,
        optcr: 4,
        optcr1: 5,
        keyKind: 'ram',
        handshake: 1,
        widest: 'x8',
      }),
      ...bytes(32, 0x44),
    );
    const change = (offset: number, value: number) =>
      Uint8Array.from(facts, (byte, i) => (i === offset ? value : byte));
    assert.deepEqual(decodeStubFacts(facts).deviceKey, bytes(32, 0x44));
    assert.equal(decodeStubFacts(change(28, 2)).keyKind, 'device');
    for (const kind of [0, 3, 0xff]) refuses('BF-VERSION-MISMATCH', () => decodeStubFacts(change(28, kind)));
    refuses('BF-TUNNEL-MESSAGE', () => decodeStubFacts(change(29, 0)));
    refuses('BF-TUNNEL-MESSAGE', () => decodeStubFacts(change(30, 3)));
    refuses('BF-TUNNEL-MESSAGE', () => decodeStubFacts(change(39, 1)));
    refuses('BF-TUNNEL-MESSAGE', () => decodeStubFacts(facts.subarray(0, -1)));
    const choice = encodeSessionChoice(bytes(16));
    assert.deepEqual(decodeSessionChoice(choice), bytes(16));
    refuses('BF-VERSION-MISMATCH', () =>
      decodeSessionChoice(Uint8Array.from(choice, (byte, i) => (i === 16 ? 1 : byte))),
    );
    refuses('BF-TUNNEL-MESSAGE', () =>
      decodeSessionChoice(Uint8Array.from(choice, (byte, i) => (i === 31 ? 1 : byte))),
    );
  });
});

describe('small things', () => {
  it('text codings agree with Buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (value) => {
        assert.equal(toHex(value), Buffer.from(value).toString('hex'));
        assert.equal(toBase64url(value), Buffer.from(value).toString('base64url'));
        assert.deepEqual(fromBase64url(toBase64url(value), 'BF-USAGE'), value);
        assert.deepEqual(fromHex(toHex(value).toUpperCase()), value);
      }),
    );
    for (const bad of ['A', 'AB', 'AAA=', 'AA A', 'AAB', 'A+AA']) {
      refuses('BF-USAGE', () => fromBase64url(bad, 'BF-USAGE'), bad);
    }
  });

  it('readers and writers keep their bounds', () => {
    const written = new Writer()
      .u8(1)
      .u16(2)
      .u32(3)
      .u64(2 ** 40)
      .prefixed(bytes(3))
      .padTo(24)
      .finish();
    const reader = new Reader(written, 'BF-USAGE', 'test');
    assert.deepEqual([reader.u8(), reader.u16(), reader.u32(), reader.u64()], [1, 2, 3, 2 ** 40]);
    assert.deepEqual(reader.prefixed(), bytes(3));
    reader.zeros(4);
    reader.end();
    refuses('BF-USAGE', () => reader.u8());
    refuses('BF-USAGE', () => new Reader(bytes(8, 0xff), 'BF-USAGE', 'test').u64());
    for (const wrong of [-1, 256, 1.5, Number.NaN]) refuses('BF-INTERNAL-ARGUMENT', () => new Writer().u8(wrong));
    refuses('BF-INTERNAL-ARGUMENT', () => new Writer().u32(1).padTo(3));
    assert.equal(isZero(bytes(3, 0)), true);
  });

  it('isoTime agrees with the machine’s calendar', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253402300799999 }), (ms) => {
        assert.equal(isoTime(ms), new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z'));
      }),
    );
  });

  it('a policy is met by its own mode and stronger ones', () => {
    assert.equal(satisfiesPolicy('host-blind', 'open'), true);
    assert.equal(satisfiesPolicy('host-blind', 'host-blind'), true);
    assert.equal(satisfiesPolicy('host-blind', 'seeded'), false);
  });
});

describe('decoders and garbage', () => {
  const decoders: Record<string, (input: Uint8Array) => unknown> = {
    wire: decodeWire,
    'message of the agent': (input) => decodeMessage('agent', input),
    'message of the controller': (input) => decodeMessage('controller', input),
    command: decodeCommand,
    reply: decodeReply,
    facts: decodeStubFacts,
    choice: decodeSessionChoice,
    invite: (input) => decodeInvite(`bf2.${toBase64url(input)}`, 0),
    'invite as text': (input) => decodeInvite(Buffer.from(input).toString('latin1'), 0),
    receipt: (input) => verifyReceipt(parseSigned(Buffer.from(input).toString('utf8')), verify),
  };
  const seeds = [
    ...samples.map(encodeMessage),
    encodeCommand({ name: 'FINAL', root: bytes(64), bootWords: bytes(64) }),
    encodeReply({
      name: 'WRITTEN',
      answers: 1,
      width: 'x32',
      root: bytes(64),
      wordsProgrammed: 1,
      optcr: 1,
      chipTimes: { erase: 1, program: 2, check: 3 },
    }),
  ];
  for (const [name, decode] of Object.entries(decoders)) {
    it(`${name}: only coded errors come out`, () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 200 }),
          fc.constantFrom(...seeds),
          fc.nat(300),
          (noise, seed, offset) => {
            onlyCoded(() => decode(noise));
            onlyCoded(() => decode(seed));
            const spoilt = seed.slice();
            const at = offset % spoilt.length;
            spoilt.set(noise.subarray(0, spoilt.length - at), at);
            onlyCoded(() => decode(spoilt));
          },
        ),
        { numRuns: 150 },
      );
    });
  }
});
