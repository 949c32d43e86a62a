// Describes a built loader as JSON on standard output: node describe-loader.mjs FILE.bin "toolchain version"
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const HEADER = 0x1c0;
const MAGIC = 0x484c4642;

const [, , path, toolchain] = process.argv;
const image = readFileSync(path);
const hash = (name) => createHash(name).update(image).digest('hex');
if (image.readUInt32LE(HEADER) !== MAGIC || image.readUInt32LE(HEADER + 8) !== image.length) {
  throw new Error('the header names another length than the file has');
}
const description = {
  sha512: hash('sha512'),
  sha256: hash('sha256'),
  size: image.length,
  version: image.readUInt32LE(HEADER + 4),
  address: 0x08000000,
  toolchain,
};
process.stdout.write(`${JSON.stringify(description, null, 2)}\n`);
