// `npm run bench:update-file`: what one update file for many devices costs (docs/performance.md). Exit status 1 when a
// target is missed: by processor time, which other work on the machine does not change; one thread does it all.
//   --devices N    10000 unless given
import nacl from 'tweetnacl';
import { compileUpdate } from '../controller/update/compile.ts';
import { STM32F42X } from '../shared/chips/index.ts';
import { exchangeKeyPair } from '../shared/crypto/keys.ts';
import { exchangeX25519 } from '../shared/platform/node/exchange.ts';
import { sealUpdate } from '../shared/update/seal.ts';
import { imageOf } from '../test/fixtures/images.ts';
import { systemRandom } from '../shared/platform/node/system-random.ts';
import { IMAGE_START, updateImage } from '../test/fixtures/update-files.ts';

const MIB = 1024 * 1024;
const MOST = { seconds: 5, bytesEach: 330 } as const;

const given = process.argv.indexOf('--devices');
const count = given < 0 ? 10_000 : Number(process.argv[given + 1]);
const random = systemRandom;
/** Each is a key pair's public half; a hundred pairs will do for the time they take. */
const keys = Array.from({ length: 100 }, () => nacl.scalarMult.base(random.bytes(32)));
const recipients = Array.from({ length: count }, (_, at) => ({
  uid: random.bytes(12),
  devicePublic: keys[at % keys.length] as Uint8Array,
}));
const image = imageOf([IMAGE_START, updateImage(1, MIB)]);
const release = { product: 1, version: 2, floor: 1 };

const [start, before] = [performance.now(), process.cpuUsage()];
const content = compileUpdate(image, STM32F42X, { mode: 'seeded', release });
const filesKey = exchangeKeyPair('files', random);
const file = sealUpdate(content, { filesKey, recipients, random, exchange: exchangeX25519 });
const seconds = (performance.now() - start) / 1000;

const { user, system } = process.cpuUsage(before);
const processorSeconds = (user + system) / 1e6;
const bytesEach = (file.length - MIB) / count;
const rows = [
  ['seconds of processor time to seal', processorSeconds.toFixed(2), MOST.seconds, processorSeconds],
  ['bytes a device beyond the image', bytesEach.toFixed(1), MOST.bytesEach, bytesEach],
] as const;
console.log(`1 MiB for ${count} devices: ${file.length} bytes, sealed in ${seconds.toFixed(2)} s on the wall clock`);
for (const [what, figure, most] of rows) console.log(`${what}: ${figure}, at most ${most}`);
process.exitCode = rows.every(([, , most, got]) => got <= most) ? 0 : 1;
