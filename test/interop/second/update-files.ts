// Update files between shared/update and the second computation of docs/update-files.md (update.py): each opens what
// the other has just sealed, and the committed vectors are what it makes.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../../shared/codec/bytes.ts';
import { systemRandom } from '../../../shared/platform/node/system-random.ts';
import { exchangeX25519 } from '../../../shared/platform/node/exchange.ts';
import { sealUpdate } from '../../../shared/update/seal.ts';
import {
  FILES_KEY,
  IMAGE_START,
  RELEASE,
  TestDevice,
  updateContent,
  updateImage,
} from '../../fixtures/update-files.ts';

type Check = (title: string, holds: boolean, detail?: string) => void;

export function updateFiles(python: string, folder: string, check: Check): void {
  const program = fileURLToPath(new URL('update.py', import.meta.url));
  const run = (...words: readonly string[]) => execFileSync(python, [program, ...words], { encoding: 'utf8' });
  const committed = readFileSync(new URL('../../vectors/update.json', import.meta.url), 'utf8');
  check(
    'vectors of update files: the committed ones are what the second computation makes',
    run('vectors') === committed,
  );

  const [path, settings] = [join(folder, 'ours.bfu'), join(folder, 'settings.json')];
  const image = updateImage(41, 70_000);
  const devices = [1, 2, 3].map((number) => new TestDevice(number));
  const options = { filesKey: FILES_KEY, recipients: devices, random: systemRandom, exchange: exchangeX25519 };
  writeFileSync(path, sealUpdate(updateContent(image), options));
  const opens = (device: TestDevice) => {
    const slot = { uid: toHex(device.uid), d_f: toHex(device.secret), S_f: toHex(FILES_KEY.publicKey) };
    writeFileSync(settings, JSON.stringify(slot));
    return JSON.parse(run('open', path, settings)) as { readonly flash?: string; readonly why?: string };
  };
  const isWhole = devices.every((device) => opens(device).flash === toHex(image));
  check('our update file, opened by the second computation as each of its devices', isWhole);
  const why = opens(new TestDevice(9)).why;
  check('… and by no other', why === 'no entry for this device', why);

  const recipients = devices.map(({ uid, devicePublic }) => ({ uid: toHex(uid), D_f: toHex(devicePublic) }));
  const keys = { s_f: toHex(FILES_KEY.secretKey), recipients, image: toHex(image) };
  writeFileSync(settings, JSON.stringify({ ...keys, ...RELEASE, mode: 'lock-then-load', label: 'theirs' }));
  run('seal', path, settings);
  const theirs = new Uint8Array(readFileSync(path));
  const taken = devices.every((device) => {
    const { complete } = device.take(theirs);
    return complete && toHex(device.flash.read(IMAGE_START, image.length)) === toHex(image);
  });
  check('an update file of the second computation, opened by ours as each of its devices', taken);
}
