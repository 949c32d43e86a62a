// `blindflash keygen`: the vendor's keys, once.
import { homeFolder } from '../../controller/store/home.ts';
import { newPassphrase, storeKeys } from '../../controller/store/keys-file.ts';
import { makeKeys, publicHalves } from '../../controller/store/keys.ts';
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

const UNPROTECTED =
  'WARNING: these keys are not protected by a passphrase: whoever can read the file can sign invites and receipts as you.';

export async function runKeygen(args: KeygenArguments): Promise<void> {
  const path = args.keys ?? homeFolder(args.home).keys;
  const prompt = createPrompt();
  try {
    const source = { file: args['passphrase-file'], prompt };
    const passphrase = args.passphrase === false ? undefined : await newPassphrase(source);
    const keys = makeKeys(systemRandom);
    await storeKeys(path, keys, passphrase, systemRandom);
    report(args, path, publicHalves(keys), passphrase !== undefined);
  } finally {
    await prompt.close();
  }
}

function report(args: KeygenArguments, path: string, halves: ReturnType<typeof publicHalves>, safe: boolean): void {
  if (!safe) say(UNPROTECTED);
  if (args.json === true) return printJson({ event: 'keys', file: path, protected: safe, public: halves });
  const lines = [
    `Keys written to ${path}. Make a backup; they cannot be restored otherwise.`,
    `receipt key  ${halves.receipt}`,
    'For the relay operator’s tenants file:',
    `tenant.pub   ${JSON.stringify({ name: args.name, key: halves.tenant })}`,
  ];
  print(...lines);
}
