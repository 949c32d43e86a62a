// `blindflash loader make`: the loader of one product, as a file to be planted, and the lines the image's linker needs.
import { writeFile } from 'node:fs/promises';
import {
  assembleLoader,
  KEY_ROLES,
  LOADER_MAP,
  type KeyRole,
  type LoaderConfig,
  type Pin,
  type VendorKey,
} from '../../controller/loader/config.ts';
import { bundledLoader } from '../../controller/service/bundled-loader.ts';
import { fromHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { print, printJson } from '../terminal/output.ts';

interface LoaderArguments {
  readonly product?: number | undefined;
  readonly key?: readonly string[] | undefined;
  readonly uart: number;
  readonly tx: string;
  readonly rx: string;
  readonly baud: number;
  readonly listen: number;
  readonly strap?: string | undefined;
  readonly rtc?: string | undefined;
  readonly 'debug-pins-off'?: boolean | undefined;
  readonly digest: boolean;
  readonly out: string;
  readonly json?: boolean | undefined;
}

const KEY = /^([a-z+]+)=([0-9a-f]{64})$/;
const PIN = /^P([A-K])(\d{1,2})$/;
const STRAP = /^(P[A-K]\d{1,2})=([01])$/;
const RTC = /^(\d{1,2})=(0x[0-9a-f]{1,8}|\d{1,10})$/i;
const RTC_REGISTERS = 20;

const wrong = (option: string, text: string, form: string) =>
  fail('BF-USAGE', `--${option} ${text}: it has the form ${form}`);
const isRole = (name: string): name is KeyRole => Object.hasOwn(KEY_ROLES, name);

function keyFrom(text: string): VendorKey {
  const [, roles, digits] = KEY.exec(text) ?? [];
  const names = roles?.split('+') ?? [];
  if (digits === undefined || !names.every(isRole)) {
    throw wrong(
      'key',
      text,
      `ROLE[+ROLE]=64 hexadecimal digits, ROLE being one of ${Object.keys(KEY_ROLES).join(', ')}`,
    );
  }
  return { publicKey: fromHex(digits), roles: names };
}

function pinFrom(option: string, text: string): Pin {
  const [, port, pin] = PIN.exec(text) ?? [];
  if (port === undefined || Number(pin) > 15) throw wrong(option, text, 'PA0 to PK15');
  return { port: port.charCodeAt(0) - 'A'.charCodeAt(0), pin: Number(pin) };
}

function strapFrom(text: string): NonNullable<LoaderConfig['strap']> {
  const [, pin, level] = STRAP.exec(text) ?? [];
  if (pin === undefined) throw wrong('strap', text, 'PIN=0 or PIN=1');
  return { ...pinFrom('strap', pin), level: level === '1' ? 1 : 0 };
}

function rtcFrom(text: string): NonNullable<LoaderConfig['rtc']> {
  const [, register, value] = RTC.exec(text) ?? [];
  const word = Number(value);
  if (register === undefined || Number(register) >= RTC_REGISTERS || !(word >= 1 && word <= 0xffffffff)) {
    throw wrong('rtc', text, 'REGISTER=WORD, register 0 to 19, a word of 32 bits that is not 0');
  }
  return { register: Number(register), value: word };
}

function configFrom(args: LoaderArguments): LoaderConfig {
  if (args.product === undefined) throw fail('BF-USAGE', '--product is missing: the number of your product');
  if (!Number.isInteger(args.product) || args.product < 0 || args.product > 0xffffffff) {
    throw wrong('product', String(args.product), 'a whole number of 32 bits');
  }
  return {
    product: args.product,
    keys: (args.key ?? []).map(keyFrom),
    uart: args.uart,
    tx: pinFrom('tx', args.tx),
    rx: pinFrom('rx', args.rx),
    baudMost: args.baud,
    listenMs: args.listen,
    ...(args.strap === undefined ? {} : { strap: strapFrom(args.strap) }),
    ...(args.rtc === undefined ? {} : { rtc: rtcFrom(args.rtc) }),
    debugPinsOff: args['debug-pins-off'] === true,
    digest: args.digest,
  };
}

interface MadeLoader {
  readonly file: string;
  readonly bytes: number;
  readonly product: number;
  readonly loaderHash: string;
}

export async function runLoaderMake(args: LoaderArguments): Promise<void> {
  tell(args, await makeLoader(args));
}

/** Writes the file. @throws BF-USAGE for options that make no loader, BF-USAGE-FILE when it cannot be written */
export async function makeLoader(args: LoaderArguments): Promise<MadeLoader> {
  const config = configFrom(args);
  const prebuilt = bundledLoader();
  const bytes = assembleLoader(prebuilt.image, config);
  try {
    await writeFile(args.out, bytes);
  } catch (error) {
    throw fail('BF-USAGE-FILE', args.out, { cause: error });
  }
  return { file: args.out, bytes: bytes.length, product: config.product, loaderHash: prebuilt.sha512 };
}

function tell(args: LoaderArguments, made: MadeLoader): void {
  if (args.json === true) return printJson({ event: 'loader', ...made, imageStart: LOADER_MAP.image });
  const image = `0x${LOADER_MAP.image.toString(16).padStart(8, '0')}`;
  print(
    `Loader written to ${made.file}, ${made.bytes} bytes; it goes to 0x08000000.`,
    `loader hash  ${made.loaderHash}`,
    'For the linker script of the image (of a part with 2 MB):',
    `  FLASH (rx) : ORIGIN = ${image}, LENGTH = 2048K - 64K`,
    'and in its start code:',
    `  SCB->VTOR = ${image};`,
  );
}
