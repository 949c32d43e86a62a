// Packs a text in the format of application/lz.h and writes it as C. Usage: pack-text.mjs <text> <out.c>
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { crc32 } from './crc32.mjs';

const WINDOW = 4096;
const SHORTEST = 3;
const LONGEST = 18;

function matchLength(bytes, from, at) {
  let length = 0;
  while (length < LONGEST && at + length < bytes.length && bytes[from + length] === bytes[at + length]) length++;
  return length;
}

/** Longest earlier occurrence of what starts at `at`; the nearest one wins a tie. */
function findMatch(bytes, at) {
  let best = { length: 0, distance: 0 };
  for (let from = at - 1; from >= Math.max(0, at - WINDOW); from--) {
    const length = matchLength(bytes, from, at);
    if (length > best.length) best = { length, distance: at - from };
  }
  return best;
}

/** The text as items: one literal byte, or the two bytes of a match. */
function toItems(bytes) {
  const items = [];
  for (let at = 0; at < bytes.length;) {
    const { length, distance } = findMatch(bytes, at);
    const code = (distance - 1) | ((length - SHORTEST) << 12);
    items.push(length < SHORTEST ? [bytes[at]] : [code & 0xff, code >> 8]);
    at += length < SHORTEST ? 1 : length;
  }
  return items;
}

function pack(bytes) {
  const items = toItems(bytes);
  const packed = [];
  for (let i = 0; i < items.length; i += 8) {
    const group = items.slice(i, i + 8);
    const flags = group.reduce((sum, item, n) => sum | (item.length === 2 ? 1 << n : 0), 0);
    packed.push(flags, ...group.flat());
  }
  return packed;
}

function toSource(text, packed) {
  const rows = [];
  for (let i = 0; i < packed.length; i += 16) rows.push(`    ${packed.slice(i, i + 16).join(', ')},\n`);
  return [
    '#include "manual.h"\n\n',
    `const uint32_t manual_packed_size = ${packed.length}, manual_size = ${text.length};\n`,
    `const uint32_t manual_crc32 = ${crc32(text)}u;\n`,
    `const uint8_t manual_packed[] = {\n${rows.join('')}};\n`,
  ].join('');
}

const [textPath, outPath] = process.argv.slice(2);
const text = readFileSync(textPath);
writeFileSync(outPath, toSource(text, pack(text)));
