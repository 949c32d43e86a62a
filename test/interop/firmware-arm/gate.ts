// The disassembly gate: what must not be in the shipped code of a function that handles secrets, because neither taint
// nor traces show it (docs/reference/crypto.md §3, §4): instructions whose time depends on operands, accesses that
// depend on flags, calls to library functions.

import { execFileSync } from 'node:child_process';

const DIVISION = /^(udiv|sdiv|vdiv|vsqrt)/;
const MEMORY = /^(ldr|str|ldm|stm|push|pop|ldrd|strd|vldr|vstr|vldm|vstm)/;
const COMPUTED_JUMP = /^(tbb|tbh)$/;
const IT = /^it([te]{0,3})$/;
const CALL = /^(bl|blx|b|b\.w|b\.n)$/;
const BREAKS = /^(bkpt|wfi|wfe|svc|udf)/;

interface Instruction {
  readonly in: string;
  readonly address: number;
  readonly mnemonic: string;
  readonly operands: string;
}

/** Instructions of all functions of an ELF file, as objdump reads them. */
export function disassemble(elf: string): Instruction[] {
  const listing = execFileSync('arm-none-eabi-objdump', ['-d', '--no-show-raw-insn', elf], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const all: Instruction[] = [];
  let inside = '';
  for (const line of listing.split('\n')) {
    const label = /^[0-9a-f]{8} <([^>]+)>:$/.exec(line);
    if (label !== null) inside = label[1]!;
    const match = /^\s*([0-9a-f]+):\t(\S+)(?:\t(.*))?$/.exec(line);
    if (match === null) continue;
    const [, address, mnemonic, operands] = match;
    all.push({ in: inside, address: parseInt(address!, 16), mnemonic: mnemonic!, operands: operands ?? '' });
  }
  return all;
}

/** The function a branch leads to, or undefined for one within a function or through a register. */
function callee({ mnemonic, operands, in: inside }: Instruction): string | undefined {
  if (!CALL.test(mnemonic)) return undefined;
  const target = /<([^>+]+)(?:\+0x[0-9a-f]+)?>/.exec(operands)?.[1];
  return target === inside ? undefined : target;
}

function objection(one: Instruction, conditional: boolean, allowed: ReadonlySet<string>): string | undefined {
  const { mnemonic, operands } = one;
  if (DIVISION.test(mnemonic)) return 'divides';
  if (COMPUTED_JUMP.test(mnemonic)) return 'jumps by a table';
  if (BREAKS.test(mnemonic)) return 'stops the core';
  if (MEMORY.test(mnemonic) && conditional) return 'accesses memory conditionally';
  if (mnemonic === 'blx' && !operands.includes('<')) return 'calls through a pointer';
  const to = callee(one);
  return to !== undefined && !allowed.has(to) ? `calls ${to}` : undefined;
}

/** A sentence for each instruction of `names` in `elf` that must not be there; `names` may call one another only. */
export function objections(elf: string, names: ReadonlySet<string>): string[] {
  const found: string[] = [];
  let conditionalFor = 0;
  for (const one of disassemble(elf)) {
    const block = IT.exec(one.mnemonic);
    const conditional = conditionalFor > 0;
    conditionalFor = block === null ? Math.max(0, conditionalFor - 1) : block[1]!.length + 1;
    if (!names.has(one.in)) continue;
    const why = objection(one, conditional, names);
    if (why !== undefined) found.push(`${one.in} ${why}: ${one.address.toString(16)} ${one.mnemonic} ${one.operands}`);
  }
  return found;
}
