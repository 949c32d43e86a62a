// `blindflash keygen`: the vendor's keys, once.
import { homeFolder } from '../../controller/store/home.ts';
import { newPassphrase, storeKeys, UNPROTECTED_HOME } from '../../controller/store/keys-file.ts';
import { makeKeys, publicHalves, vendorOf, type VendorKeys } from '../../controller/store/keys.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { fingerprintText } from '../../shared/tunnel/invite.ts';
import { print, printJson, say } from '../terminal/output.ts';
import { createPrompt } from '../terminal/prompt.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';

interface KeygenArguments {
  readonly home?: string | undefined;
  readonly keys?: string | undefined;
  readonly 'passphrase-file'?: string | undefined;
  readonly passphrase?: boolean | undefined;
  readonly name?: string | undefined;
  readonly json?: boolean | undefined;
}

export async function runKeygen(args: KeygenArguments): Promise<void> {
  const path = args.keys ?? homeFolder(args.home).keys;
  const prompt = createPrompt();
  try {
    const source = { file: args['passphrase-file'], prompt };
    const passphrase = args.passphrase === false ? undefined : await newPassphrase(source);
    const keys = makeKeys(systemRandom);
    await storeKeys(path, keys, passphrase, systemRandom);
    report(args, path, keys, passphrase !== undefined);
  } finally {
    await prompt.close();
  }
}

function report(args: KeygenArguments, path: string, keys: VendorKeys, safe: boolean): void {
  const [halves, vendor] = [publicHalves(keys), vendorOf(keys)];
  if (!safe) say(UNPROTECTED_HOME);
  if (args.json === true) {
    return printJson({ event: 'keys', file: path, protected: safe, public: halves, vendor: toHex(vendor) });
  }
  const lines = [
    `Keys written to ${path}. Make a backup; they cannot be restored otherwise.`,
    `fingerprint  ${fingerprintText(vendor)}   (customers’ sheets show it; read it to them by voice)`,
    `receipt key  ${halves.receipt}`,
    'For the relay operator’s tenants file:',
    `tenant.pub   ${JSON.stringify({ name: args.name, key: halves.tenant })}`,
    'For the config of your loaders, by the role of the key:',
    `sessions     ${halves.sealed}`,
    `files        ${halves.files}`,
  ];
  print(...lines);
}
