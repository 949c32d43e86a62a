// `blindflash package IMAGE --to … --out FILE.bfu`: seals an image for devices of the registry. No network.
import { writeFile } from 'node:fs/promises';
import { compileUpdate } from '../../controller/update/compile.ts';
import { chooseRecipients, type Recipients, type RegisteredDevice } from '../../controller/update/recipients.ts';
import type { Device } from '../../controller/registry/device.ts';
import { homeFolder } from '../../controller/store/home.ts';
import { loadKeys, UNPROTECTED_HOME } from '../../controller/store/keys-file.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { exchangeX25519 } from '../../shared/platform/node/exchange.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { PLACES } from '../../shared/registry/states.ts';
import { sealUpdate } from '../../shared/update/seal.ts';
import { filesKeyId } from '../../shared/update/format.ts';
import { floorText, type Release } from '../../shared/plan/release.ts';
import { print, printJson, say } from '../terminal/output.ts';
import { createPrompt } from '../terminal/prompt.ts';
import { chipNamed, loadImage, versionOf, type ImageArguments, type ReleaseArguments } from './options.ts';
import { withRegistry, type RegistryArguments } from './devices.ts';

interface PackageArguments extends RegistryArguments, ImageArguments, ReleaseArguments {
  readonly to?: readonly string[] | undefined;
  readonly out?: string | undefined;
  readonly product?: number | undefined;
  readonly chip: string;
  readonly 'flash-kib'?: number | undefined;
  readonly label?: string | undefined;
}

interface Packaged {
  readonly file: string;
  readonly bytes: number;
  readonly release: Release;
  readonly chosen: Recipients;
  /** 32 digits. */
  readonly filesKey: string;
  /** A passphrase protects the keys. */
  readonly isProtected: boolean;
}

export async function runPackage(args: PackageArguments): Promise<void> {
  tell(args, await makePackage(args));
}

/**
 * Seals and writes the file.
 * @throws BF-USAGE, BF-UPDATE-RECIPIENTS, BF-USAGE-FILE; BF-IMAGE-*, BF-KEYS-*, BF-DEVICES-*
 */
export async function makePackage(args: PackageArguments): Promise<Packaged> {
  const { to, out } = args;
  if (to === undefined) throw fail('BF-USAGE', '--to says for which devices: first digits of UIDs, or all');
  if (out === undefined) throw fail('BF-USAGE', '--out names the file');
  const [version, floor] = versionOf(args);
  const chip = chipNamed(args.chip);
  const image = await loadImage(args, chip);
  const devices = await withRegistry(args, (registry) => registry.devices());
  const chosen = chooseRecipients(devices.map(withMode), { to, product: args.product });
  const release = { product: chosen.product, version, floor };
  const { label, 'flash-kib': flashKiB } = args;
  const content = compileUpdate(image, chip, { mode: chosen.mode, release, label, flashKiB });
  const { filesKey, isProtected } = await loadFilesKey(args);
  const { recipients } = chosen;
  const file = sealUpdate(content, { filesKey, recipients, random: systemRandom, exchange: exchangeX25519 });
  await writeNew(out, file);
  const keyId = toHex(filesKeyId(filesKey.publicKey));
  return { file: out, bytes: file.length, release, chosen, filesKey: keyId, isProtected };
}

function withMode({ place, ...device }: Device): RegisteredDevice {
  return { ...device, mode: place === undefined ? undefined : PLACES[place].mode };
}

/** The vendor's files key, and whether a passphrase protects it. @throws BF-KEYS-* */
async function loadFilesKey({ home, keys: path, 'passphrase-file': file, json = false }: PackageArguments) {
  const prompt = createPrompt({ program: json });
  try {
    const { keys, isProtected } = await loadKeys(path ?? homeFolder(home).keys, { file, prompt });
    return { filesKey: keys.files, isProtected };
  } finally {
    await prompt.close();
  }
}

/** A file that is there already is not replaced. @throws BF-USAGE-FILE */
async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(path, bytes, { flag: 'wx' }).catch((error: unknown) => {
    throw fail('BF-USAGE-FILE', path, error);
  });
}

function tell({ json }: PackageArguments, packaged: Packaged): void {
  const { file, bytes, release, chosen, filesKey, isProtected } = packaged;
  if (!isProtected) say(UNPROTECTED_HOME);
  const { mode, left, recipients } = chosen;
  if (json === true) {
    return printJson({ event: 'packaged', file, bytes, ...release, mode, devices: recipients.length, left, filesKey });
  }
  print(
    `file      ${file}, ${bytes} bytes`,
    `product   ${release.product}`,
    `version   ${release.version}`,
    `floor     ${release.floor}: ${floorText(release)}`,
    `mode      ${mode}`,
    `devices   ${recipients.length}; the file shows at most how many, and not which`,
    ...left.map(({ uid, why }) => `left out  ${uid}: it ${why}`),
    `files key ${filesKey}`,
    '',
    'These devices can open it, and nobody else; the file may lie in public.',
    'A file has no forward secrecy: whoever gets your files key later, or opens one of the devices, reads every copy that',
    'was kept of it.',
  );
}
