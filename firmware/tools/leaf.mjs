// Fails unless a function is a leaf without stack (no push, no sp, no call, no branch out of it):
// node leaf.mjs FILE.elf NAME
import { execFileSync } from 'node:child_process';

const [, , elf, name] = process.argv;
const listing = execFileSync('arm-none-eabi-objdump', [`--disassemble=${name}`, elf], { encoding: 'utf8' });
const lines = listing.split('\n').filter((line) => /^ *[0-9a-f]+:\t/.test(line));
const bad = lines.filter(
  (line) => /\b(push|pop|sp|bl|blx)\b/.test(line) || /<(?!NAME[+>])/.test(line.replace(`<${name}`, '<NAME')),
);
if (!lines.some((line) => /\tbx\tlr/.test(line))) bad.push('no return by lr');
if (bad.length > 0) throw new Error(`${name} is no leaf without stack:\n${bad.join('\n')}`);
