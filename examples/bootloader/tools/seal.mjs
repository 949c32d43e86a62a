// Fills the length and the two CRC-32 values of an application's header (layout: common/image.h).
// Usage: seal.mjs <application.bin> <header.bin>; the input is header and body as objcopy writes them.
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { crc32 } from './crc32.mjs';

const HEADER_SIZE = 0x200;
const BODY_LENGTH_AT = 8;
const BODY_CRC_AT = 12;
const HEADER_CRC_AT = 56;

const [inPath, outPath] = process.argv.slice(2);
const file = readFileSync(inPath);
const header = file.subarray(0, HEADER_SIZE);
const body = file.subarray(HEADER_SIZE);
header.writeUInt32LE(body.length, BODY_LENGTH_AT);
header.writeUInt32LE(crc32(body), BODY_CRC_AT);
header.writeUInt32LE(crc32(header.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT);
writeFileSync(outPath, header);
