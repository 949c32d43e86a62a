// The bytes of docs/update-files.md: test/vectors/update.json was made by a second implementation (Python's standard
// library, test/interop/second/update.py), and shared/update has to arrive at the same.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import nacl from 'tweetnacl';
import { compileUpdate } from '../../../../controller/update/compile.ts';
import { STM32F42X } from '../../../../shared/chips/index.ts';
import { copyOf } from '../../../../shared/codec/bytes.ts';
import { sha512 } from '../../../../shared/crypto/hash.ts';
import { exchangeKeyPairFrom } from '../../../../shared/crypto/keys.ts';
import { exchangeX25519 } from '../../../../shared/platform/node/exchange.ts';
import { filesKeyId } from '../../../../shared/update/format.ts';
import { entryKey, entryTag, entryTagKey, FrameChain, frameHash } from '../../../../shared/update/keys.ts';
import { UpdateParser } from '../../../../shared/update/parser.ts';
import { UpdateReader } from '../../../../shared/update/reader.ts';
import { sealUpdate } from '../../../../shared/update/seal.ts';
import { imageOf } from '../../../fixtures/images.ts';
import { IMAGE_START, TestFlash } from '../../../fixtures/update-files.ts';
import { partsOf } from '../../../fixtures/update-parts.ts';
import { hex, scripted, unhex } from '../support.ts';

interface Vectors {
  readonly mode: 'seeded';
  readonly product: number;
  readonly version: number;
  readonly floor: number;
  readonly label: string;
  readonly image: string;
  readonly s_f: string;
  readonly S_f: string;
  readonly e: string;
  readonly E: string;
  readonly files_key_id: string;
  readonly content_key: string;
  readonly header: string;
  readonly header_hash: string;
  readonly root: string;
  readonly devices: readonly {
    readonly uid: string;
    readonly d_f: string;
    readonly D_f: string;
    readonly k: string;
    readonly entry_key: string;
    readonly entry: string;
  }[];
  readonly frame_keys: readonly string[];
  readonly frame_hashes: readonly string[];
  readonly file: string;
}

const VECTORS = JSON.parse(readFileSync(new URL('../../../vectors/update.json', import.meta.url), 'utf8')) as Vectors;
const PARTS = partsOf(unhex(VECTORS.file));

describe('vectors of update files', () => {
  it('header, its hash and the id of the files key', () => {
    assert.equal(hex(PARTS.header), VECTORS.header);
    assert.equal(hex(sha512(PARTS.header)), VECTORS.header_hash);
    assert.equal(hex(filesKeyId(unhex(VECTORS.S_f))), VECTORS.files_key_id);
    assert.equal(hex(PARTS.decoded.filesKeyId), VECTORS.files_key_id);
    assert.equal(hex(PARTS.decoded.ephemeral), VECTORS.E);
    const { product, version, floor } = VECTORS;
    assert.deepEqual(PARTS.decoded.plan.release, { product, version, floor });
  });

  it('k, tag and entry key of each device, from either side', () => {
    const names = { headerHash: sha512(PARTS.header), ephemeral: unhex(VECTORS.E) };
    for (const device of VECTORS.devices) {
      const [uid, devicePublic, secret] = [unhex(device.uid), unhex(device.D_f), unhex(device.d_f)];
      assert.equal(hex(nacl.scalarMult.base(secret)), device.D_f);
      const named = { filesPublic: unhex(VECTORS.S_f), devicePublic, uid };
      const vendors = [unhex(VECTORS.e), unhex(VECTORS.s_f)].map((one) => nacl.scalarMult(one, devicePublic));
      const devices = [unhex(VECTORS.E), unhex(VECTORS.S_f)].map((one) => nacl.scalarMult(secret, one));
      const openssls = exchangeX25519([unhex(VECTORS.e), unhex(VECTORS.s_f)])(devicePublic);
      for (const [once, own] of [vendors, devices, openssls] as [Uint8Array, Uint8Array][]) {
        const k = entryTagKey(own, named);
        assert.equal(hex(k), device.k);
        assert.equal(hex(entryTag(k, names.headerHash, uid)), device.entry.slice(0, 32));
        assert.equal(hex(entryKey([once, own], named, names)), device.entry_key);
      }
      assert.ok(PARTS.entries.some((entry) => hex(entry) === device.entry));
    }
  });

  it('keys and hashes of the frames', () => {
    const chain = new FrameChain(unhex(VECTORS.content_key));
    assert.deepEqual(
      PARTS.frames.map(() => hex(chain.next().key)),
      VECTORS.frame_keys,
    );
    assert.deepEqual(
      PARTS.frames.map((frame) => hex(frameHash(frame))),
      VECTORS.frame_hashes,
    );
  });

  it('each device opens the file', () => {
    for (const device of VECTORS.devices) {
      const flash = new TestFlash();
      const secret = unhex(device.d_f);
      const reader = new UpdateReader(
        {
          filesPublic: unhex(VECTORS.S_f),
          devicePublic: unhex(device.D_f),
          uid: unhex(device.uid),
          tagKey: unhex(device.k),
          agree: (point) => nacl.scalarMult(secret, point),
          devId: STM32F42X.devId,
          flashKiB: 2048,
          product: VECTORS.product,
          floor: VECTORS.floor,
        },
        flash,
      );
      const parser = new UpdateParser(reader);
      parser.push(unhex(VECTORS.file));
      parser.end();
      assert.equal(reader.complete, true);
      assert.equal(hex(flash.read(IMAGE_START, VECTORS.image.length / 2)), VECTORS.image);
    }
  });

  it('sealed again from the same secrets: the same header, entries and frames', () => {
    const { mode, product, version, floor, label } = VECTORS;
    const image = imageOf([IMAGE_START, unhex(VECTORS.image)]);
    const content = compileUpdate(image, STM32F42X, { mode, label, release: { product, version, floor } });
    assert.equal(hex(content.root), VECTORS.root);
    const padded = PARTS.entries.map(hex).filter((entry) => VECTORS.devices.every((device) => device.entry !== entry));
    const random = scripted(unhex(VECTORS.e), unhex(VECTORS.content_key), ...padded.map(unhex), new Uint8Array(24));
    const file = sealUpdate(content, {
      filesKey: exchangeKeyPairFrom('files', unhex(VECTORS.s_f)),
      recipients: VECTORS.devices.map(({ uid, D_f }) => ({ uid: unhex(uid), devicePublic: unhex(D_f) })),
      random,
      exchange: exchangeX25519,
    });
    const parts = partsOf(copyOf(file));
    assert.equal(hex(parts.header), VECTORS.header);
    assert.deepEqual(parts.entries.map(hex).sort(), PARTS.entries.map(hex).sort());
    assert.deepEqual(parts.frames.map(hex), PARTS.frames.map(hex));
    assert.equal(file.length, VECTORS.file.length / 2);
  });
});
