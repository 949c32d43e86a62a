// Writes the constant tables of both images as C, from their formulas. Usage: tables.mjs <crc32.c> <application.c>
import { writeFileSync } from 'node:fs';
import process from 'node:process';

const range = (count, valueAt) => Array.from({ length: count }, (_, i) => valueAt(i));
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const toRows = (items, perRow) =>
  range(Math.ceil(items.length / perRow), (i) => items.slice(i * perRow, (i + 1) * perRow));
const toList = (items, perRow) =>
  toRows(items, perRow)
    .map((row) => `    ${row.join(', ')},\n`)
    .join('');

/** CRC-32 register after `byte` and then `zeros` zero bytes (reflected polynomial 0xEDB88320). */
function crcEntry(byte, zeros) {
  let crc = byte;
  for (let bit = 0; bit < 8 * (zeros + 1); bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc >>> 0;
}

const hex32 = (value) => `0x${value.toString(16).padStart(8, '0')}`;

function crcSource() {
  const tables = range(4, (zeros) => range(256, (byte) => hex32(crcEntry(byte, zeros))));
  const body = tables.map((table) => `  {\n${toList(table, 8)}  },\n`).join('');
  return `#include "crc32.h"\n\nconst uint32_t crc32_tables[4][256] = {\n${body}};\n`;
}

const sine = (i) => clamp(Math.round(32768 * Math.sin((2 * Math.PI * i) / 2048)), -32768, 32767);

/** IEC 60751 (Callendar-Van Dusen), hundredths of an ohm. */
function pt100(celsius) {
  const [a, b, c] = [3.9083e-3, -5.775e-7, celsius < 0 ? -4.183e-12 : 0];
  return Math.round(10000 * (1 + a * celsius + b * celsius ** 2 + c * (celsius - 100) * celsius ** 3));
}

/** ITS-90 reference function of type K above 0 °C: coefficients in millivolts per power of a degree. */
const TYPE_K = [
  -0.17600413686e-1, 0.38921204975e-1, 0.18558770032e-4, -0.99457592874e-7, 0.31840945719e-9, -0.56072844889e-12,
  0.56075059059e-15, -0.32020720003e-18, 0.97151147152e-22, -0.12104721275e-25,
];

function typeK(celsius) {
  const polynomial = TYPE_K.reduce((sum, coefficient, power) => sum + coefficient * celsius ** power, 0);
  const millivolt = polynomial + 0.1185976 * Math.exp(-0.1183432e-3 * (celsius - 126.9686) ** 2);
  return Math.max(0, Math.round(1000 * millivolt));
}

/** NTC 10 kΩ, B 3950, below a 10 kΩ resistor, 12 bits: hundredths of a degree. */
function ntc(reading) {
  const ratio = clamp(reading, 0.5, 4094.5) / (4095 - clamp(reading, 0.5, 4094.5));
  const kelvin = 1 / (1 / 298.15 + Math.log(ratio) / 3950);
  return clamp(Math.round(100 * (kelvin - 273.15)), -5500, 15000);
}

const APPLICATION_TABLES = [
  ['int16_t sine_q15[SINE_STEPS]', range(2048, sine)],
  ['uint16_t pt100_centiohm[PT100_ENTRIES]', range(1051, (i) => pt100(i - 200))],
  ['uint16_t type_k_microvolt[TYPE_K_ENTRIES]', range(1373, typeK)],
  ['int16_t ntc_centidegree[NTC_ENTRIES]', range(4096, ntc)],
];

function applicationSource() {
  const tables = APPLICATION_TABLES.map(([name, values]) => `\nconst ${name} = {\n${toList(values, 16)}};\n`);
  return `#include "tables.h"\n${tables.join('')}`;
}

const [crcPath, applicationPath] = process.argv.slice(2);
writeFileSync(crcPath, crcSource());
writeFileSync(applicationPath, applicationSource());
