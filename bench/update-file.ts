// `npm run bench:update-file`: what one update file for many devices costs the vendor: registry read and checked, image
// sealed, file written (docs/performance.md). Exit status 1 when a target is missed: by processor time, which other
// work on the machine does not change; one thread does it all.
//   --devices N    10000 unless given
import { createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import nacl from 'tweetnacl';
import { makePackage } from '../cli/vendor/package.ts';
import { signEntry, type Entry } from '../controller/registry/entry.ts';
import { homeFolder } from '../controller/store/home.ts';
import { storeKeys } from '../controller/store/keys-file.ts';
import { makeKeys } from '../controller/store/keys.ts';
import { Ledger } from '../controller/store/ledger.ts';
import { LedgerDeviceStore } from '../controller/store/ledger-devices.ts';
import { equalBytes, toHex } from '../shared/codec/bytes.ts';
import { systemRandom } from '../shared/platform/node/system-random.ts';
import { silentLog } from '../shared/ports.ts';
import { deviceNumber } from '../test/fixtures/registry.ts';
import { updateImage } from '../test/fixtures/update-files.ts';

const MIB = 1024 * 1024;
const MOST = { seconds: 5, bytesEach: 330 } as const;

const given = process.argv.indexOf('--devices');
const count = given < 0 ? 10_000 : Number(process.argv[given + 1]);
const home = mkdtempSync(join(tmpdir(), 'blindflash-update-'));
const keys = makeKeys(systemRandom);
/** A hundred keys will do for the time they take: who has which is nothing the work depends on. */
const publics = Array.from({ length: 100 }, () => toHex(nacl.scalarMult.base(systemRandom.bytes(32))));

/** PrivateKeyInfo header of an Ed25519 key (RFC 8410); the seed follows. */
const PRIVATE_KEY_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * Lets OpenSSL sign in place of tweetnacl: Ed25519 has one signature for one message, and ten thousand take seconds in
 * place of a minute. Making the registry is not what is measured; nothing that is measured signs.
 */
function signFast(seed: Uint8Array): void {
  const key: KeyObject = createPrivateKey({
    key: Buffer.concat([PRIVATE_KEY_HEADER, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const { detached } = nacl.sign;
  const fast = (message: Uint8Array): Uint8Array => new Uint8Array(sign(null, message, key));
  if (!equalBytes(fast(seed), detached(seed, keys.receipt.secretKey))) throw new Error('OpenSSL signs otherwise');
  nacl.sign.detached = Object.assign(fast, { verify: detached.verify }) as typeof detached;
}

function entryOf(n: number): Entry {
  return {
    ...deviceNumber(n),
    version: 'blindflash device 2',
    kind: 'enrolled',
    number: 1,
    fileKey: publics[n % publics.length] as string,
    at: '2026-09-21T14:13:20Z',
    by: 'bench',
    repeats: null,
    vendorKey: toHex(keys.receipt.publicKey),
  };
}

async function prepare(): Promise<string> {
  await storeKeys(homeFolder(home).keys, keys, undefined, systemRandom);
  const ledger = new Ledger({ home: homeFolder(home), log: silentLog });
  signFast(keys.receipt.secretKey.slice(0, 32));
  const entries = Array.from({ length: count }, (_, n) => signEntry(entryOf(n), keys.receipt));
  await new LedgerDeviceStore(ledger).add(entries);
  await ledger.close();
  const image = join(home, 'image.bin');
  writeFileSync(image, updateImage(1, MIB));
  return image;
}

try {
  const image = await prepare();
  const [start, before] = [performance.now(), process.cpuUsage()];
  const args = { home, image: [image], base: '0x08010000', chip: 'stm32f427', to: ['all'], release: 2 };
  const { bytes } = await makePackage({ ...args, out: join(home, 'file.bfu') });
  const { user, system } = process.cpuUsage(before);
  const [seconds, wall] = [(user + system) / 1e6, (performance.now() - start) / 1000];
  const bytesEach = (bytes - MIB) / count;
  const rows = [
    ['seconds of processor time', seconds.toFixed(2), MOST.seconds, seconds],
    ['bytes a device beyond the image', bytesEach.toFixed(1), MOST.bytesEach, bytesEach],
  ] as const;
  console.log(`1 MiB for ${count} devices: ${bytes} bytes, in ${wall.toFixed(2)} s on the wall clock`);
  for (const [what, figure, most] of rows) console.log(`${what}: ${figure}, at most ${most}`);
  process.exitCode = rows.every(([, , most, got]) => got <= most) ? 0 : 1;
} finally {
  rmSync(home, { recursive: true });
}
