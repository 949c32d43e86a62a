// pyOCD 0.13 on the virtual probe (docs/reference/stlink.md §3.4): it walks the CoreSight components and brings flash
// algorithms of its own, which our core executes. It knows no F427; the F439 is the same die for a debugger.
import { randomFillSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { IDENTITIES } from '../../../sim/stlink/identity.ts';
import { run } from './usb-fixture.ts';
import type { UsbFixture } from './usb-fixture.ts';

const TARGET = ['-t', 'stm32f439xi'] as const;
const IMAGES = [
  { name: 'bank 1', base: 0x08000000, size: 40_002 },
  { name: 'bank 2', base: 0x08100000, size: 30_000 },
] as const;

/** It sees one probe, by its serial number. */
export function pyocdLists(fixture: UsbFixture): void {
  const { checks, face } = fixture;
  checks.at(`pyOCD ${face}`, 'list');
  checks.check('serial', run(fixture, 'pyocd-tool', ['list']).text.split(IDENTITIES[face].serial).length === 2);
}

/** Everything else it does; the board runs the counting program first (test/interop/openocd/operations.ts). */
export function pyocd(fixture: UsbFixture): void {
  attach(fixture);
  memory(fixture);
  breakpoint(fixture);
  for (const image of IMAGES) program(fixture, image);
  erase(fixture);
}

/** Answers to commands of its console, one by one. */
function console(fixture: UsbFixture, commands: readonly string[]): { greeting: string; answers: readonly string[] } {
  const { text } = run(fixture, 'pyocd-tool', [...TARGET], `${[...commands, 'exit'].join('\n')}\n`);
  const [greeting = '', ...answers] = text.split('>>> ');
  return { greeting, answers: commands.map((_, index) => answers[index] ?? '') };
}

function number(answer: string | undefined): number {
  return Number(/0x[0-9a-f]+/.exec(answer ?? '')?.[0]);
}

function attach(fixture: UsbFixture): void {
  const { checks } = fixture;
  checks.at('pyOCD v2-1', 'attach, halt, step, registers');
  const commands = [
    'readdp 0',
    'readap 0xfc',
    'halt',
    'reg pc',
    'step',
    'reg pc',
    'wreg r3 0x1234',
    'reg r3',
    'status',
  ];
  const { greeting, answers } = console(fixture, commands);
  const [dpidr, apidr, , pc, , next, , r3, status] = answers;
  checks.check('finds the core running', /Connected to STM32F439xI \[Running\]/.test(greeting), greeting.trim());
  checks.equal('DPIDR', numberAfter(dpidr), 0x2ba01477);
  checks.equal('AP IDR', numberAfter(apidr), 0x24770011);
  checks.check('stopped inside the loop', number(pc) >= 0x08000104 && number(pc) <= 0x0800010a, pc?.trim());
  const following: Readonly<Record<number, number>> = { 4: 6, 6: 8, 8: 0xa, 0xa: 4 };
  checks.equal('a step goes one instruction on', number(next) & 0xf, following[number(pc) & 0xf] ?? Number.NaN);
  checks.equal('a register keeps what is written', number(r3), 0x1234);
  checks.check('status', /Unlocked[^]*Halted/.test(status ?? ''));
}

/** The value of an answer that names the register's address first. */
function numberAfter(answer: string | undefined): number {
  return Number((answer ?? '').split('=')[1]);
}

function memory(fixture: UsbFixture): void {
  const { checks } = fixture;
  checks.at('pyOCD v2-1', 'memory');
  const { answers } = console(fixture, [
    'read32 0xe000ed00 4',
    'read16 0x1fff7a22 2',
    'write32 0x20000100 0x11223344 0x55667788',
    'read32 0x20000100 8',
    'read8 0x20000101 3',
    'read32 0x30000000 4',
    'read32 0xe000ed00 4',
  ]);
  const [cpuid, kib, , words, odd, nothing, again] = answers;
  checks.check('CPUID', / 410fc241/.test(cpuid ?? ''));
  checks.check('flash size', / 0800/.test(kib ?? ''));
  checks.check('words', / 11223344 55667788/.test(words ?? ''));
  checks.check('bytes', / 33 22 11/.test(odd ?? ''));
  checks.check('names the address of a fault', /Transfer Fault @ 0x30000000/.test(nothing ?? ''));
  checks.check('and goes on', / 410fc241/.test(again ?? ''));
}

function breakpoint(fixture: UsbFixture): void {
  const { checks } = fixture;
  checks.at('pyOCD v2-1', 'breakpoint');
  const { answers } = console(fixture, [
    'halt',
    'break 0x08000108',
    'go',
    'status',
    'reg pc',
    'rmbreak 0x08000108',
    'go',
  ]);
  checks.check('stopped', /Halted/.test(answers[3] ?? ''));
  checks.equal('there', number(answers[4]), 0x08000108);
}

function program(fixture: UsbFixture, { name, base, size }: (typeof IMAGES)[number]): void {
  const { checks, path } = fixture;
  checks.at('pyOCD v2-1', `program, read ${name}`);
  const image = randomFillSync(new Uint8Array(size));
  const address = `0x${base.toString(16)}`;
  writeFileSync(path('image.bin'), image);
  const flashed = run(fixture, 'pyocd-flashtool', [...TARGET, '-se', '-a', address, path('image.bin')]);
  checks.check('by its own algorithm', flashed.ok && new RegExp(`Programmed ${size} bytes`).test(flashed.text));
  run(fixture, 'pyocd-tool', [...TARGET, 'savemem', address, String(size), path('back.bin')]);
  checks.check('byte for byte', Buffer.from(image).equals(readFileSync(path('back.bin'))));
}

function erase(fixture: UsbFixture): void {
  const { checks } = fixture;
  checks.at('pyOCD v2-1', 'erase a sector');
  const { answers } = console(fixture, ['erase 0x08100000 1', 'read32 0x08100000 8', 'read32 0x08104000 4']);
  checks.check('erased', / ffffffff ffffffff/.test(answers[1] ?? ''));
  checks.check('its neighbour is not', !/ ffffffff/.test(answers[2] ?? ' ffffffff'));
}
