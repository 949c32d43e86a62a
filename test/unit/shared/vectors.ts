// Makes the contents of test/vectors/protocol.json with reference.ts and Buffer alone: nothing of shared/ takes part.
// `npx tsx test/unit/shared/write-vectors.ts` writes the file; vectors.test.ts compares file, this and shared/.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  expand,
  hmac,
  referenceBoxKey,
  referenceEpoch,
  referenceNonce,
  referenceSealed,
  referenceSecretbox,
  referenceTunnel,
  sha512,
  x25519Public,
  type SealedPurpose,
} from './reference.ts';

/** Recognisable bytes: SHA-512 of the name, repeated with a counter. */
function named(name: string, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; 64 * i < length; i++) parts.push(sha512(Buffer.from(`${name} ${i}`)));
  return Buffer.concat(parts).subarray(0, length);
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const u16 = (value: number) => Buffer.of(value & 255, value >> 8);
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number) => Buffer.concat([u32(value % 2 ** 32), u32(Math.floor(value / 2 ** 32))]);
const lp = (bytes: Uint8Array) => Buffer.concat([u16(bytes.length), bytes]);
const ascii = (text: string) => Buffer.from(text, 'ascii');

/** Sequences around the first epoch boundaries. */
const SEQUENCES = [1, 2, 63, 64, 65, 128, 129, 200];

type Output = ReturnType<typeof referenceTunnel> | ReturnType<typeof referenceSealed>;

/** Both ends' own values, recognisable by their names. */
function ends(name: string) {
  return {
    staticSecret: named(`${name} static`, 32),
    initiatorSecret: named(`${name} e_i`, 32),
    initiatorNonce: named(`${name} nonce_i`, 32),
    responderSecret: named(`${name} e_r`, 32),
    responderNonce: named(`${name} nonce_r`, 32),
  };
}

function handshakeVector<More extends object>(
  purpose: 'tunnel' | SealedPurpose,
  input: ReturnType<typeof ends>,
  more: More,
  output: Output,
) {
  return {
    purpose,
    input: {
      static_secret: hex(input.staticSecret),
      e_i_secret: hex(input.initiatorSecret),
      nonce_i: hex(input.initiatorNonce),
      e_r_secret: hex(input.responderSecret),
      nonce_r: hex(input.responderNonce),
      ...more,
    },
    static_public: hex(output.staticPublic),
    m1: hex(output.m1),
    m2: hex(output.m2),
    m3: hex(output.m3),
    th: hex(output.th),
    prk: hex(output.prk),
    chain_i2r: hex(output.chainI2r),
    chain_r2i: hex(output.chainR2i),
    exporter: hex(output.exporter),
    boxes: [1, 2].flatMap((direction) =>
      SEQUENCES.map((sequence) =>
        boxVector(direction as 1 | 2, purpose, sequence, direction === 1 ? output.chainI2r : output.chainR2i),
      ),
    ),
  };
}

function tunnelVector(secret: Buffer, inviteHash: Buffer) {
  const input = { ...ends('tunnel'), contexts: [inviteHash], payload2: Buffer.alloc(16), secret, inviteHash };
  const output = referenceTunnel(input);
  const { exporter } = output;
  const codeKey = expand(exporter, 'blindflash/2 code', Buffer.concat([input.initiatorNonce, input.responderNonce]));
  return {
    ...handshakeVector('tunnel', input, { secret: hex(secret), invite_hash: hex(inviteHash) }, output),
    secrets: {
      id: hex(expand(secret, 'blindflash/2 id').subarray(0, 8)),
      code: codeOf(codeKey),
      next: hex(expand(exporter, 'blindflash/2 resume')),
      tag: hex(expand(exporter, 'blindflash/2 tag').subarray(0, 8)),
      spent: hex(hmac(expand(secret, 'blindflash/2 t1'), ascii('spent'), sha512(output.m1)).subarray(0, 16)),
    },
  };
}

function sealedVector(purpose: SealedPurpose, contexts: Buffer[], facts: Buffer, tunnelExporter: Buffer) {
  const secrets = {
    deviceSecret: named(`${purpose} d`, 32),
    ...(purpose === 'enroll' && { fileSecret: named('enroll d_f', 32) }),
  };
  const base = { ...ends(purpose), contexts, facts, ...secrets };
  const { m1 } = referenceSealed(purpose, { ...base, payload2: Buffer.alloc(32) });
  const sessionId = expand(tunnelExporter, 'blindflash/2 session', sha512(m1)).subarray(0, 16);
  const payload2 = Buffer.concat([sessionId, Buffer.of(2), Buffer.alloc(15)]);
  const output = referenceSealed(purpose, { ...base, payload2 });
  return {
    ...handshakeVector(
      purpose,
      base,
      {
        contexts: contexts.map(hex),
        facts: hex(facts),
        d_secret: hex(base.deviceSecret),
        ...(secrets.fileSecret && { d_f_secret: hex(secrets.fileSecret) }),
        payload2: hex(payload2),
      },
      output,
    ),
    session_id: hex(sessionId),
  };
}

function boxVector(direction: 1 | 2, purpose: 'tunnel' | SealedPurpose, sequence: number, chain: Buffer) {
  const key = referenceBoxKey(chain, referenceEpoch(purpose, sequence));
  const nonce = referenceNonce(direction, purpose, sequence);
  const plaintext = named(`plaintext ${direction} ${sequence}`, 20 + sequence);
  return {
    direction: direction === 1 ? 'i2r' : 'r2i',
    sequence,
    key: hex(key),
    nonce: hex(nonce),
    plaintext: hex(plaintext),
    box: hex(referenceSecretbox(key, nonce, plaintext)),
  };
}

function planVector() {
  const label = Buffer.from('Prüfstand 7', 'utf8');
  const ranges = [
    [0x08000000, 0x200, 1],
    [0x08000200, 0x3e00, 1],
    [0x08010000, 0xfffc, 1],
    [0x08100000, 0x4000, 2],
  ];
  const bytes = Buffer.concat([
    ascii('BFP2'),
    u16(64 + 12 * ranges.length + 12),
    Buffer.of(1, 1),
    named('job', 16),
    u16(0x419),
    u16(2048),
    u32(120_000),
    u32((1 << 0) | (1 << 4)),
    u32(0x08000000),
    Buffer.of(2, 1, 1, ranges.length, label.length, 7, 0, 0),
    Buffer.alloc(16),
    ...ranges.flatMap((range) => range.map(u32)),
    label,
    Buffer.alloc(12 - label.length),
  ]);
  return hashedPlan(bytes);
}

/** A plan of a kind that changes option bytes: OPTCR mask and value, OPTCR1 mask and value. */
function optionsVector(kind: number, words: readonly number[]) {
  return hashedPlan(
    Buffer.concat([
      ascii('BFP2'),
      u16(64),
      Buffer.of(kind, 1),
      named('job', 16),
      u16(0x419),
      u16(0),
      u32(120_000),
      u32(0),
      u32(0xffffffff),
      Buffer.of(2, 0, 0, 0, 0, 0, 0, 0),
      ...words.map(u32),
    ]),
  );
}

/** A plan of data: no boot words, and sector 0 is not erased. */
function dataVector() {
  const range = [0x08020000, 0x400, 1];
  return hashedPlan(
    Buffer.concat([
      ascii('BFP2'),
      u16(64 + 12),
      Buffer.of(1, 1),
      named('job', 16),
      u16(0x419),
      u16(2048),
      u32(120_000),
      u32(1 << 5),
      u32(0xffffffff),
      Buffer.of(2, 0, 1, 1, 0, 0, 0, 0),
      Buffer.alloc(16),
      ...range.map(u32),
    ]),
  );
}

function hashedPlan(bytes: Buffer) {
  return { bytes: hex(bytes), hash: hex(sha512(ascii('blindflash/2 plan'), Buffer.of(0), bytes)) };
}

function inviteVector() {
  const secret = named('invite secret', 32);
  const tunnelPublic = x25519Public(named('tunnel static', 32));
  const ticket = Buffer.concat([ascii('BFT2'), named('ticket', 180)]);
  const url = 'wss://relay.example:8443/v2/link';
  const [sealedKey, receiptKey] = [x25519Public(named('sealed static', 32)), named('receipt key', 32)];
  const vendor = sha512(ascii('blindflash/2 vendor'), Buffer.of(0), sealedKey, receiptKey).subarray(0, 32);
  const head = [ascii('BFI2'), u64(1_900_000_000), tunnelPublic, vendor];
  const publicPart = Buffer.concat([...head, lp(ascii(url)), lp(ticket)]);
  const body = Buffer.concat([publicPart, secret]);
  const seed = expand(hmac(ascii('blindflash/2 invite'), secret), 'blindflash/2 holder');
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const holder = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
  return {
    expires: 1_900_000_000,
    tunnel_public: hex(tunnelPublic),
    sealed_key: hex(sealedKey),
    receipt_key: hex(receiptKey),
    vendor: hex(vendor),
    relay_url: url,
    ticket: hex(ticket),
    secret: hex(secret),
    public_hash: hex(sha512(publicPart)),
    holder_seed: hex(seed),
    holder_public: hex(holder.export({ format: 'der', type: 'spki' }).subarray(-32)),
    line: `bf2.${Buffer.concat([body, sha512(body).subarray(0, 4)]).toString('base64url')}`,
  };
}

function rootVector() {
  const ranges = [
    { address: 0x08000000, length: 0x4000, digest: hex(named('digest 0', 64)) },
    { address: 0x08010000, length: 4, digest: hex(named('digest 1', 64)) },
  ];
  const body = ranges.map((range) =>
    Buffer.concat([u32(range.address), u32(range.length), Buffer.from(range.digest, 'hex')]),
  );
  const root = sha512(ascii('blindflash/2 root'), u32(ranges.length), ...body);
  const boot = named('boot words', 64);
  return {
    ranges,
    root: hex(root),
    boot_words: hex(boot),
    written: hex(sha512(ascii('blindflash/2 written'), root, boot)),
  };
}

function messageVectors() {
  const pad = (size: number, ...parts: Uint8Array[]) => {
    const joined = Buffer.concat(parts);
    return Buffer.concat([joined, Buffer.alloc(size - joined.length)]);
  };
  const [data, long] = [named('image', 8), named('long image', 164)];
  const longPlain = pad(4048, Buffer.of(1, 0, 164, 0, 64), Buffer.alloc(11), long);
  const [root, boot] = [named('root', 64), named('boot words', 64)];
  const reply = (kind: number, argument: number, answers: number, ...body: Uint8Array[]) =>
    pad(176, Buffer.of(kind, argument, 0, 0), u32(answers), ...body);
  return {
    image: {
      address: 0x08000040,
      data: hex(data),
      plain: hex(pad(176, Buffer.of(1, 0), u16(8), u32(0x08000040), Buffer.alloc(8), data)),
    },
    long_image: { address: 64, data: hex(long), plain: hex(longPlain) },
    erase: { sector: 12, plain: hex(pad(176, Buffer.of(2, 12))) },
    erase_unless_blank: { sector: 255, plain: hex(pad(176, Buffer.of(2, 255, 1))) },
    digest: {
      first: 3,
      count: 2,
      expected: hex(root),
      plain: hex(pad(176, Buffer.of(3, 3, 2), Buffer.alloc(13), root)),
    },
    final: { root: hex(root), boot_words: hex(boot), plain: hex(pad(176, Buffer.of(4), Buffer.alloc(15), root, boot)) },
    lock: { plain: hex(pad(176, Buffer.of(5))) },
    end: { plain: hex(pad(176, Buffer.of(6))) },
    ping: { plain: hex(pad(176, Buffer.of(7))) },
    abort: { plain: hex(pad(176, Buffer.of(0x7f))) },
    erased: { answers: 1, sector: 12, how: 1, plain: hex(reply(0x82, 12, 1, u32(1))) },
    digested: { answers: 700, equal: true, left: 255, plain: hex(reply(0x83, 1, 700, u32(255))) },
    written: {
      answers: 701,
      width: 'x32',
      root: hex(root),
      words: 4096,
      optcr: 0x0fffaaed,
      ms: [8100, 4200, 300],
      plain: hex(reply(0x84, 2, 701, root, u32(4096), u32(0x0fffaaed), u32(8100), u32(4200), u32(300))),
    },
    locked: {
      answers: 702,
      optcr: 0x0fff55ed,
      optcr1: 0x0fff0000,
      plain: hex(reply(0x85, 1, 702, u32(0x0fff55ed), u32(0x0fff0000))),
    },
    ended: {
      answers: 703,
      words: 4096,
      ms: [8100, 4200, 300],
      plain: hex(reply(0x86, 0, 703, u32(4096), u32(8100), u32(4200), u32(300))),
    },
    pong: { answers: 704, words: 17, plain: hex(reply(0x87, 0, 704, u32(17))) },
    stopped: { answers: 5, error: 8, detail: 0x1fff7800, plain: hex(reply(0xff, 0, 5, u32(8), u32(0x1fff7800))) },
  };
}

/** Six characters from the first 30 bits, by text arithmetic. */
function codeOf(key: Uint8Array): string {
  const bits = [...key].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letter = (i: number) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[Number.parseInt(bits.slice(5 * i, 5 * i + 5), 2)];
  return `${letter(0)}${letter(1)}${letter(2)}-${letter(3)}${letter(4)}${letter(5)}`;
}

function consentVector(planHash: Buffer, vendor: Buffer, stubHash: Buffer) {
  const uid = named('uid', 12);
  const hash = sha512(ascii('blindflash/2 consent'), Buffer.of(0), planHash, vendor, uid, stubHash);
  return { plan_hash: hex(planHash), vendor: hex(vendor), uid: hex(uid), stub_hash: hex(stubHash), hash: hex(hash) };
}

export function makeVectors() {
  const invite = inviteVector();
  const plan = planVector();
  const stubHash = named('stub hash', 64);
  const facts = Buffer.concat([
    named('uid', 12),
    u32(0x20036419),
    u16(2048),
    u16(0x0200),
    u32(0x0fffaaed),
    u32(0x0fff0000),
    Buffer.of(1, 1, 2),
    Buffer.alloc(9),
  ]);
  const loaderHash = named('loader hash', 64);
  const loaderFacts = Buffer.concat([
    named('uid', 12),
    u32(0x20036419),
    u16(2048),
    u16(0x0201),
    u32(0x0ffe55ed),
    u32(0x0fff0000),
    Buffer.of(2, 3, 2, 0),
    u32(0x0e000000),
    u16(0x0000),
    u16(0),
  ]);
  const tunnel = tunnelVector(Buffer.from(invite.secret, 'hex'), Buffer.from(invite.public_hash, 'hex'));
  const planHash = Buffer.from(plan.hash, 'hex');
  const exporter = Buffer.from(tunnel.exporter, 'hex');
  return {
    note: 'docs/protocol.md; made by test/unit/shared/vectors.ts from OpenSSL primitives, checked against shared/ and firmware/. Bytes are lower-case hex.',
    tunnel,
    sealed: sealedVector('sealed', [stubHash, planHash], facts, exporter),
    device: sealedVector('device', [loaderHash, planHash, x25519Public(named('device d', 32))], loaderFacts, exporter),
    enroll: sealedVector('enroll', [loaderHash, planHash], loaderFacts, exporter),
    consent: consentVector(planHash, Buffer.from(invite.vendor, 'hex'), stubHash),
    sealed_facts: {
      uid: hex(named('uid', 12)),
      idcode: 0x20036419,
      flash_kib: 2048,
      stub_version: 0x0200,
      optcr: 0x0fffaaed,
      optcr1: 0x0fff0000,
      handshake: 1,
      widest: 'x32',
    },
    device_facts: {
      uid: hex(named('uid', 12)),
      idcode: 0x20036419,
      flash_kib: 2048,
      loader_version: 0x0201,
      optcr: 0x0ffe55ed,
      optcr1: 0x0fff0000,
      handshake: 3,
      widest: 'x32',
      reset_flags: 0x0e000000,
      debug: 0,
      watchers: 0,
    },
    sealed_messages: messageVectors(),
    plan,
    plan_data: dataVector(),
    plan_unlock: optionsVector(6, [0xcfffff10, 0x0fffaa00, 0x0fff0000, 0x0fff0000]),
    plan_options: optionsVector(7, [0x0020000c, 0x00000008, 0x00010000, 0x00000000]),
    invite,
    root: rootVector(),
  };
}
