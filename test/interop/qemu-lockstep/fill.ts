// Fills the placeholders of the instruction templates with registers and numbers, and puts some under an IT.
import type { Dice } from './dice.ts';

const CONDITIONS = ['eq', 'ne', 'cs', 'cc', 'mi', 'pl', 'vs', 'vc', 'hi', 'ls', 'ge', 'lt', 'gt', 'le'];
/** Registers that instructions may change; r10 is the scratch pointer, r11 the dump pointer. */
export const TARGETS = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r12', 'lr'];
const SINGLES = Array.from({ length: 32 }, (_, n) => `s${n}`);

function modified(dice: Dice): number {
  const byte = dice.below(256);
  const kind = dice.below(5);
  if (kind < 4) return [byte, byte * 0x10001, byte * 0x1000100, byte * 0x1010101][kind]! >>> 0;
  const top = 0x80 | (byte & 0x7f);
  return (top << dice.below(25)) >>> 0;
}

function shiftText(dice: Dice): string {
  const kind = dice.pick(['lsl', 'lsr', 'asr', 'ror', 'rrx']);
  return kind === 'rrx' ? kind : `${kind} #${dice.below(kind === 'lsl' ? 32 : 31) + (kind === 'lsl' ? 0 : 1)}`;
}

function field(dice: Dice): string {
  const lsb = dice.below(32);
  return `${lsb}, #${dice.below(32 - lsb) + 1}`;
}

/** A run of single or double registers, as VLDM wants them. */
function singleList(dice: Dice): string {
  const first = dice.below(28);
  return `{${Array.from({ length: dice.below(4) + 1 }, (_, i) => `s${first + i}`).join(', ')}}`;
}
function doubleList(dice: Dice): string {
  const first = dice.below(14);
  return dice.below(2) === 0 ? `{d${first}}` : `{d${first}, d${first + 1}}`;
}
/** One of the 256 values VMOV can carry. */
function floatImmediate(dice: Dice): string {
  return String((dice.below(2) * 2 - 1) * (1 + dice.below(16) / 16) * 2 ** (dice.below(8) - 3));
}

function registerList(dice: Dice): string {
  const chosen = TARGETS.slice(0, 10).filter(() => dice.below(3) === 0);
  return `{${[...new Set([...chosen, 'r1', 'r6'])].sort().join(', ')}}`;
}

/** Fills in a template of templates.ts or float-templates.ts. `cond` is empty outside IT blocks. */
export function fill(template: string, dice: Dice, cond: string): string {
  const free = TARGETS.filter((register) => !new RegExp(`\\b${register}\\b`).test(template));
  const registers = dice.shuffled(free);
  const low = dice.shuffled(free.filter((register) => /^r[0-7]$/.test(register)));
  const singles = dice.shuffled(SINGLES);
  const names: Record<string, () => string> = {
    c: () => cond,
    s: () => (cond === '' ? 's' : ''),
    d: () => registers[0]!,
    e: () => registers[1]!,
    n: () => (dice.below(6) === 0 ? registers[0]! : registers[2]!),
    m: () => (dice.below(6) === 0 ? registers[0]! : registers[3]!),
    a: () => registers[4]!,
    lod: () => low[0]!,
    lon: () => low[1]!,
    lom: () => low[2]!,
    mod: () => `0x${modified(dice).toString(16)}`,
    sh: () => shiftText(dice),
    rot: () => String(dice.below(4) * 8),
    field: () => field(dice),
    fd: () => singles[0]!,
    fn: () => (dice.below(6) === 0 ? singles[0]! : singles[1]!),
    fm: () => (dice.below(6) === 0 ? singles[0]! : singles[2]!),
    flist: () => singleList(dice),
    dlist: () => doubleList(dice),
    fimm: () => floatImmediate(dice),
    list: () => registerList(dice),
  };
  return template
    .replace(/\{i(\d?):(\d+)(?::(\d+))?\}/g, (_, scale: string, first: string, last?: string) => {
      if (last === undefined) return String(dice.below(Number(first) + 1) * Number(scale || '1'));
      return String(Number(first) + dice.below(Number(last) - Number(first) + 1));
    })
    .replace(/\{([a-z]+)\}/g, (_, name: string) => names[name]!())
    .replaceAll('{{', '{')
    .replaceAll('}}', '}');
}

/** One to four conditional instructions under an IT. */
export function itBlock(dice: Dice, templates: readonly string[]): string[] {
  const cond = dice.below(14);
  const length = dice.below(4) + 1;
  const inverted = Array.from({ length }, (_, i) => (i === 0 ? false : dice.below(2) === 1));
  const mnemonic = `it${inverted
    .slice(1)
    .map((other) => (other ? 'e' : 't'))
    .join('')}`;
  const lines = inverted.map((other) => fill(dice.pick(templates), dice, CONDITIONS[other ? cond ^ 1 : cond]!));
  return [`${mnemonic} ${CONDITIONS[cond]!}`, ...lines];
}
