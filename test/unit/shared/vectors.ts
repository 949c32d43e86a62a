// Makes the contents of test/vectors/protocol.json with reference.ts and Buffer alone: nothing of shared/ takes part.
// `npx tsx test/unit/shared/write-vectors.ts` writes the file; vectors.test.ts compares file, this and shared/.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  expand,
  hmac,
  referenceBoxKey,
  referenceHandshake,
  referenceNonce,
  referenceSecretbox,
  sha512,
  x25519Public,
} from './reference.ts';

/** Recognisable bytes: SHA-512 of the name, repeated with a counter. */
export function named(name: string, length: number): Buffer {
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

function handshakeVector(
  name: string,
  purpose: 'tunnel' | 'sealed',
  more: {
    contexts: Buffer[];
    psk: Buffer;
    payload1: Buffer;
    payload2: Buffer;
  },
) {
  const input = {
    purpose,
    staticSecret: named(`${name} static`, 32),
    initiatorSecret: named(`${name} e_i`, 32),
    initiatorNonce: named(`${name} nonce_i`, 32),
    responderSecret: named(`${name} e_r`, 32),
    responderNonce: named(`${name} nonce_r`, 32),
    ...more,
  };
  const output = referenceHandshake(input);
  return {
    purpose,
    input: {
      static_secret: hex(input.staticSecret),
      contexts: input.contexts.map(hex),
      psk: hex(input.psk),
      e_i_secret: hex(input.initiatorSecret),
      nonce_i: hex(input.initiatorNonce),
      e_r_secret: hex(input.responderSecret),
      nonce_r: hex(input.responderNonce),
      payload1: hex(input.payload1),
      payload2: hex(input.payload2),
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

function boxVector(direction: 1 | 2, purpose: 'tunnel' | 'sealed', sequence: number, chain: Buffer) {
  const key = referenceBoxKey(chain, Math.floor((sequence - 1) / 64));
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
    ascii('BFP1'),
    u16(48 + 12 * ranges.length + 12),
    Buffer.of(1, 1),
    named('job', 16),
    u16(0x419),
    u16(2048),
    u32(120_000),
    u32((1 << 0) | (1 << 4)),
    u32(0x08000000),
    Buffer.of(2, 1, 1, ranges.length, label.length, 0, 0, 0),
    ...ranges.flatMap((range) => range.map(u32)),
    label,
    Buffer.alloc(12 - label.length),
  ]);
  return { bytes: hex(bytes), hash: hex(sha512(ascii('blindflash/1 plan'), Buffer.of(0), bytes)) };
}

function inviteVector() {
  const secret = named('invite secret', 32);
  const tunnelPublic = x25519Public(named('tunnel static', 32));
  const ticket = Buffer.concat([ascii('BFT1'), named('ticket', 180)]);
  const url = 'wss://relay.example:8443/v1/link';
  const publicPart = Buffer.concat([ascii('BFI1'), u64(1_900_000_000), tunnelPublic, lp(ascii(url)), lp(ticket)]);
  const body = Buffer.concat([publicPart, secret]);
  const seed = expand(hmac(ascii('blindflash/1 invite'), secret), 'blindflash/1 holder');
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const holder = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
  return {
    expires: 1_900_000_000,
    tunnel_public: hex(tunnelPublic),
    relay_url: url,
    ticket: hex(ticket),
    secret: hex(secret),
    public_hash: hex(sha512(publicPart)),
    holder_seed: hex(seed),
    holder_public: hex(holder.export({ format: 'der', type: 'spki' }).subarray(-32)),
    line: `bf1.${Buffer.concat([body, sha512(body).subarray(0, 4)]).toString('base64url')}`,
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
  return { ranges, root: hex(sha512(ascii('blindflash/1 root'), u32(ranges.length), ...body)) };
}

function messageVectors() {
  const pad = (size: number, ...parts: Uint8Array[]) => {
    const joined = Buffer.concat(parts);
    return Buffer.concat([joined, Buffer.alloc(size - joined.length)]);
  };
  const [data, root, boot] = [named('image', 8), named('root', 64), named('boot words', 64)];
  const reply = (kind: number, argument: number, answers: number, ...body: Uint8Array[]) =>
    pad(176, Buffer.of(kind, argument, 0, 0), u32(answers), ...body);
  return {
    image: {
      address: 0x08000040,
      data: hex(data),
      plain: hex(pad(4048, Buffer.of(1, 0), u16(8), u32(0x08000040), Buffer.alloc(8), data)),
    },
    erase: { sector: 12, plain: hex(pad(176, Buffer.of(2, 12))) },
    digest: { range: 3, plain: hex(pad(176, Buffer.of(3, 3))) },
    final: { root: hex(root), boot_words: hex(boot), plain: hex(pad(176, Buffer.of(4), Buffer.alloc(15), root, boot)) },
    lock: { plain: hex(pad(176, Buffer.of(5))) },
    end: { plain: hex(pad(176, Buffer.of(6))) },
    ping: { plain: hex(pad(176, Buffer.of(7))) },
    abort: { plain: hex(pad(176, Buffer.of(0x7f))) },
    erased: { answers: 1, sector: 12, plain: hex(reply(0x82, 12, 1)) },
    digested: { answers: 700, range: 3, digest: hex(root), plain: hex(reply(0x83, 3, 700, root)) },
    written: {
      answers: 701,
      width: 'x32',
      root: hex(root),
      words: 4096,
      optcr: 0x0fffaaed,
      plain: hex(reply(0x84, 2, 701, root, u32(4096), u32(0x0fffaaed))),
    },
    locked: {
      answers: 702,
      optcr: 0x0fff55ed,
      optcr1: 0x0fff0000,
      plain: hex(reply(0x85, 1, 702, u32(0x0fff55ed), u32(0x0fff0000))),
    },
    ended: { answers: 703, words: 4096, plain: hex(reply(0x86, 0, 703, u32(4096))) },
    pong: { answers: 704, words: 17, plain: hex(reply(0x87, 0, 704, u32(17))) },
    stopped: { answers: 5, error: 8, detail: 0x1fff7800, plain: hex(reply(0xff, 0, 5, u32(8), u32(0x1fff7800))) },
  };
}

/** Six characters from the first 30 bits, by text arithmetic. */
function codeOf(exporter: Uint8Array): string {
  const bits = [...expand(exporter, 'blindflash/1 code')].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letter = (i: number) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[Number.parseInt(bits.slice(5 * i, 5 * i + 5), 2)];
  return `${letter(0)}${letter(1)}${letter(2)}-${letter(3)}${letter(4)}${letter(5)}`;
}

export function makeVectors() {
  const invite = inviteVector();
  const plan = planVector();
  const stubHash = named('stub hash', 64);
  const facts = Buffer.concat([
    named('uid', 12),
    u32(0x20036419),
    u16(2048),
    u16(0x0100),
    u32(0x0fffaaed),
    u32(0x0fff0000),
    Buffer.of(0, 1, 2),
    Buffer.alloc(9),
  ]);
  const tunnel = handshakeVector('tunnel', 'tunnel', {
    contexts: [Buffer.from(invite.public_hash, 'hex')],
    psk: Buffer.from(invite.secret, 'hex'),
    payload1: Buffer.concat([Buffer.of(1), Buffer.alloc(15)]),
    payload2: Buffer.alloc(16),
  });
  const sealed = handshakeVector('sealed', 'sealed', {
    contexts: [stubHash, Buffer.from(plan.hash, 'hex')],
    psk: Buffer.alloc(32),
    payload1: facts,
    payload2: Buffer.concat([named('session id', 16), Buffer.of(1), Buffer.alloc(15)]),
  });
  const exporter = Buffer.from(tunnel.exporter, 'hex');
  return {
    note: 'docs/protocol.md; made by test/unit/shared/vectors.ts from OpenSSL primitives, checked against shared/ and stub/. Bytes are lower-case hex.',
    tunnel,
    tunnel_secrets: {
      code: codeOf(exporter),
      resume: hex(expand(exporter, 'blindflash/1 resume')),
      tag: hex(expand(exporter, 'blindflash/1 tag').subarray(0, 8)),
    },
    sealed,
    sealed_facts: {
      uid: hex(named('uid', 12)),
      idcode: 0x20036419,
      flash_kib: 2048,
      stub_version: 0x0100,
      optcr: 0x0fffaaed,
      optcr1: 0x0fff0000,
      handshake: 1,
      widest: 'x32',
    },
    sealed_messages: messageVectors(),
    plan,
    invite,
    root: rootVector(),
  };
}
