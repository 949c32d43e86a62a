// The values of a loader's config as a person writes them, on the command line or in a file, and what they mean
// (docs/loader.md, "Config").
import {
  KEY_ROLES,
  type KeyRole,
  type LoaderConfig,
  type Pin,
  type VendorKey,
} from '../../controller/loader/config.ts';
import { fromHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { CONFIG_OPTIONS } from './loader-options.ts';

/** What is given of the config, by option. */
export interface ConfigValues {
  readonly chip?: string | undefined;
  readonly product?: number | undefined;
  readonly key?: readonly string[] | undefined;
  readonly uart?: number | undefined;
  readonly tx?: string | undefined;
  readonly rx?: string | undefined;
  readonly baud?: number | undefined;
  readonly listen?: number | undefined;
  readonly strap?: string | undefined;
  readonly rtc?: string | undefined;
  readonly 'debug-pins-off'?: boolean | undefined;
  readonly digest?: boolean | undefined;
}

/** Of the board most examples are about. */
const USUAL = { uart: 1, tx: 'PA9', rx: 'PA10', baud: 921_600, listen: 0 } as const;

const KEY = /^([a-z+]+)=([0-9a-f]{64})$/;
const PIN = /^P([A-K])(\d{1,2})$/;
const STRAP = /^(P[A-K]\d{1,2})=([01])$/;
const RTC = /^(\d{1,2})=(0x[0-9a-f]{1,8}|\d{1,10})$/i;
const RTC_REGISTERS = 20;

const wrong = (text: string, form: string) => fail('BF-USAGE', `${text}: it has the form ${form}`);
const isRole = (name: string): name is KeyRole => Object.hasOwn(KEY_ROLES, name);

function keyFrom(text: string): VendorKey {
  const [, roles, digits] = KEY.exec(text) ?? [];
  const names = roles?.split('+') ?? [];
  if (digits === undefined || !names.every(isRole)) {
    throw wrong(text, `ROLE[+ROLE]=64 hexadecimal digits, ROLE being one of ${Object.keys(KEY_ROLES).join(', ')}`);
  }
  if (names.includes('sessions') && names.includes('files')) {
    throw fail('BF-USAGE', `${text}: keygen makes a key for sessions and another for files; each is named by itself`);
  }
  return { publicKey: fromHex(digits), roles: names };
}

function pinFrom(text: string): Pin {
  const [, port, pin] = PIN.exec(text) ?? [];
  if (port === undefined || Number(pin) > 15) throw wrong(text, 'PA0 to PK15');
  return { port: port.charCodeAt(0) - 'A'.charCodeAt(0), pin: Number(pin) };
}

function strapFrom(text: string): NonNullable<LoaderConfig['strap']> {
  const [, pin, level] = STRAP.exec(text) ?? [];
  if (pin === undefined) throw wrong(text, 'PIN=0 or PIN=1');
  return { ...pinFrom(pin), level: level === '1' ? 1 : 0 };
}

function rtcFrom(text: string): NonNullable<LoaderConfig['rtc']> {
  const [, register, value] = RTC.exec(text) ?? [];
  const word = Number(value);
  if (register === undefined || Number(register) >= RTC_REGISTERS || !(word >= 1 && word <= 0xffffffff)) {
    throw wrong(text, 'REGISTER=WORD, register 0 to 19, a word of 32 bits that is not 0');
  }
  return { register: Number(register), value: word };
}

/** Readers of the values that have a form of their own. @throws BF-USAGE with the text and its form */
const FORMS = { key: keyFrom, tx: pinFrom, rx: pinFrom, strap: strapFrom, rtc: rtcFrom } as const;

/** Refuses a value that is none. @throws BF-USAGE saying what is wrong with it */
export function checkValue(name: keyof ConfigValues, value: string | number): void {
  const row = CONFIG_OPTIONS[name];
  if (row.type === 'number') {
    const good = Number.isInteger(value) && Number(value) >= row.least && Number(value) <= row.most;
    if (!good) throw wrong(String(value), `of a whole number, ${row.least} to ${row.most}`);
  }
  if (Object.hasOwn(FORMS, name)) FORMS[name as keyof typeof FORMS](String(value));
}

/** As checkValue, for all that is given on the command line. @throws BF-USAGE naming the option */
function checkAll(values: ConfigValues): void {
  for (const name of Object.keys(CONFIG_OPTIONS) as (keyof ConfigValues)[]) {
    const value = values[name];
    if (value === undefined || typeof value === 'boolean') continue;
    for (const each of typeof value === 'object' ? value : [value]) named(name, () => checkValue(name, each));
  }
}

function named(option: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw fail('BF-USAGE', `--${option} ${(error as { detail?: string }).detail}`);
  }
}

/** The config that is given, with what is usual where nothing is. @throws BF-USAGE */
export function configFrom(values: ConfigValues): LoaderConfig {
  checkAll(values);
  const { product, strap, rtc } = values;
  if (product === undefined) throw fail('BF-USAGE', '--product is missing: the number of your product');
  return {
    product,
    keys: (values.key ?? []).map(keyFrom),
    uart: values.uart ?? USUAL.uart,
    tx: pinFrom(values.tx ?? USUAL.tx),
    rx: pinFrom(values.rx ?? USUAL.rx),
    baudMost: values.baud ?? USUAL.baud,
    listenMs: values.listen ?? USUAL.listen,
    ...(strap === undefined ? {} : { strap: strapFrom(strap) }),
    ...(rtc === undefined ? {} : { rtc: rtcFrom(rtc) }),
    debugPinsOff: values['debug-pins-off'] === true,
    digest: values.digest !== false,
  };
}
