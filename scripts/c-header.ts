// C headers from tables: lines of `#define`, enumerations and guards, as firmware/ wants them.

export type Row = readonly [name: string, value: number | string, note?: string];
export type Section = readonly [title: string, rows: readonly Row[]];
type Table = Readonly<Record<string, number>>;

/** No line of C is longer. */
export const COLUMNS = 100;

/** A number as C writes it: hexadecimal, and decimal for sizes and counts. */
export const hex = (value: number) => {
  const digits = (value >>> 0).toString(16).toUpperCase();
  return `0x${digits.padStart(value > 0xffff ? 8 : 2, '0')}u`;
};
export const upper = (name: string) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
export const rows = (prefix: string, table: Table): Row[] =>
  Object.entries(table).map(([name, value]) => [`${prefix}_${upper(name)}`, value]);
export const numberRows = (prefix: string, table: Readonly<Record<string, { readonly number: number }>>): Row[] =>
  Object.entries(table).map(([name, { number }]) => [`${prefix}_${upper(name)}`, number]);

const note = (text?: string) => (text ? ` /* ${text} */` : '');
const decimal = (value: number) => (value > 0xffffff ? hex(value) : `${value}u`);

/** `#define NAME value`, its note behind it where the line has room for it. */
export const define =
  (number: (value: number) => string) =>
  ([name, value, what]: Row): string => {
    const bare = `#define ${name.padEnd(28)} ${typeof value === 'string' ? `"${value}"` : number(value)}`;
    const noted = `${bare}${note(what)}`;
    return noted.length <= COLUMNS ? noted : `${note(what).trimStart()}\n${bare}`;
  };
export const defines = ([title, list]: Section, number = hex) =>
  [`/* ${title} */`, ...list.map(define(number))].join('\n');
export const counts = (section: Section) => defines(section, decimal);

/** A type and its values: `typedef enum { … } name;`. */
export const enumeration = (name: string, title: string, list: readonly Row[]) =>
  [
    `/* ${title} */`,
    'typedef enum {',
    ...list.map(([row, value, what]) => `  ${row} = ${Number(value)},${note(what)}`),
    `} ${name};`,
  ].join('\n');

export function guarded(guard: string, body: readonly string[]): string {
  return `/*
 * Generated from the tables of shared/ by scripts/gen-firmware-headers.ts. Do not edit.
 */
#ifndef ${guard}
#define ${guard}

${body.join('\n\n')}

#endif
`;
}
