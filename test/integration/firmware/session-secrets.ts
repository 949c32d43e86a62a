// The secrets of a sealed session worked out once more, by node:crypto, to look for them in the chip's memory
// afterwards (docs/protocol.md §4, §5). Independent of shared/crypto on purpose.
import { createHash, createHmac } from 'node:crypto';
import nacl from 'tweetnacl';
import { controlAddress } from '../../fixtures/f42x.ts';
import type { FirmwareFixture } from './firmware-fixture.ts';
import { VENDOR_SEED, type SealedController } from './sealed-controller.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

const lp = (bytes: Uint8Array) => Buffer.concat([Buffer.from([bytes.length & 0xff, bytes.length >> 8]), bytes]);
const sha512 = (...parts: Uint8Array[]) => createHash('sha512').update(Buffer.concat(parts)).digest();
const hmac = (key: Uint8Array | string, ...parts: Uint8Array[]) =>
  createHmac('sha512', key).update(Buffer.concat(parts)).digest();
const expand = (key: Uint8Array, ...info: Uint8Array[]) => hmac(key, ...info, Uint8Array.of(1)).subarray(0, 32);
const epoch = (number: number) => Buffer.from([number, 0, 0, 0]);

/** th of section 4: made of what everybody on the way may see. */
export function transcriptHash(fixture: FirmwareFixture, controller: SealedController): Uint8Array {
  const m1 = fixture.read(controlAddress('M1'), 136);
  const m2 = fixture.read(controlAddress('M2'), 128);
  return sha512(
    lp(Buffer.from('blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512')),
    lp(Buffer.from('sealed')),
    lp(controller.keys.publicKey),
    lp(fixture.read(controlAddress('STUB_HASH'), 64)),
    lp(sha512(Buffer.from('blindflash/2 plan\0'), controller.planBytes)),
    lp(m1),
    lp(m2.subarray(0, 96)),
  );
}

let deviceKeyAt = 0x10000000;

/** d of the chip, 32 bytes, and where it lies: what in the private memory fits the D of M1. */
export function chipKey(fixture: FirmwareFixture): { readonly address: number; readonly secret: Uint8Array } {
  const wanted = Buffer.from(fixture.read(controlAddress('M1') + 104, 32));
  const end = fixture.layout.memory.private.address + fixture.layout.memory.private.size;
  for (let address = deviceKeyAt; address < end; address += 8) {
    const secret = fixture.read(address, 32);
    if (secret.every((byte) => byte === 0) || !wanted.equals(nacl.scalarMult.base(secret))) continue;
    deviceKeyAt = address;
    return { address, secret };
  }
  throw new Error('no d that fits D');
}

/** Named secrets of the session `controller`, made with `seed`, has on `fixture`, epochs 0 and 1. */
export function sessionSecrets(
  fixture: FirmwareFixture,
  controller: SealedController,
  seed = VENDOR_SEED,
): Record<string, Uint8Array> {
  const random = seededRandom(seed);
  random.bytes(32 + 16);
  const ephemeral = random.bytes(32);
  const m1 = fixture.read(controlAddress('M1'), 136);
  const th = transcriptHash(fixture, controller);
  const ee = nacl.scalarMult(ephemeral, m1.subarray(0, 32));
  const es = nacl.scalarMult(controller.keys.secretKey, m1.subarray(0, 32));
  const se = nacl.scalarMult(ephemeral, m1.subarray(104));
  const prk0 = hmac('blindflash/2 extract', ee, es, new Uint8Array(32));
  const device = expand(prk0, Buffer.from('device'), th);
  const prk = hmac('blindflash/2 device', device, se);
  const secrets: Record<string, Uint8Array> = { ee, es, se, prk0, 'key "device"': device, prk };
  for (const label of ['chain i2r', 'chain r2i']) {
    const chain = expand(prk, Buffer.from(label), th);
    const next = expand(chain, Buffer.from('next chain'), epoch(0));
    secrets[`${label} 0`] = chain;
    secrets[`${label} 1`] = next;
    secrets[`box key of ${label} 0`] = expand(chain, Buffer.from('box key'), epoch(0));
    secrets[`box key of ${label} 1`] = expand(next, Buffer.from('box key'), epoch(1));
  }
  return secrets;
}
