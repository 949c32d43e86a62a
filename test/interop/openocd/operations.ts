// What stock OpenOCD does on the virtual board, and what a real one would have to answer: values of the reference pages
// (docs/reference/stm32f4.md §1.1, §3; docs/reference/cortex-m-debug.md §3; docs/reference/stlink.md §5.1) and of the
// few instructions below, never the simulator's own.
import { readFileSync, writeFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import type { Checks } from './checks.ts';
import { openocd } from './session.ts';
import type { Link, Session, Transport } from './session.ts';

/** One client on one link, working in a scratch folder. */
export interface Fixture {
  readonly checks: Checks;
  readonly client: string;
  readonly transport: Transport;
  readonly link: Link;
  /** Path of a scratch file. */
  path(name: string): string;
  /** Cuts and restores the board's supply. */
  powerCycle(): Promise<void>;
}

const BANK2 = 0x08100000;
const FLASH_OPTCR = 0x40023c14;
const COUNTER = 0x20000040;

/** The first sector of each bank. */
const ERASED_STARTS = ['flash erase_sector 0 0 0', 'flash erase_sector 0 12 12'] as const;

const hex = (value: number) => `0x${value.toString(16)}`;
const word = (address: number) => `[lindex [read_memory ${hex(address)} 32 1] 0]`;
const register = (name: string) => `[dict get [get_reg ${name}] ${name}]`;

/**
 * Vector table at 0 (stack 0x20010000, every vector 0x08000101). From 0x100: movs r0,#0; ldr r1,=0x20000040; then for
 * ever adds r0,#1; str r0,[r1]; nop.
 */
export function counterProgram(): Uint8Array {
  const image = new Uint8Array(0x110).fill(0xff);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x20010000, true);
  for (let vector = 4; vector < 0x40; vector += 4) view.setUint32(vector, 0x08000101, true);
  [0x2000, 0x4902, 0x3001, 0x6008, 0xbf00, 0xe7fb].forEach((half, i) => view.setUint16(0x100 + 2 * i, half, true));
  view.setUint32(0x10c, COUNTER, true);
  return image;
}

/** Runs a session; that it ended well is the operation's first check. */
function session(fixture: Fixture, operation: string, commands: readonly string[], timeoutMs?: number): Session {
  fixture.checks.at(fixture.client, operation);
  const result = openocd(fixture.transport, fixture.link, commands, timeoutMs);
  fixture.checks.check('session', result.status === 0, `${result.seconds.toFixed(1)} s`);
  return result;
}

function values(fixture: Fixture, result: Session, expected: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(expected)) fixture.checks.equal(name, result.value(name), value);
}

function says(fixture: Fixture, result: Session, name: string, pattern: RegExp): void {
  fixture.checks.check(name, pattern.test(result.text), pattern.source);
}

export function identity(fixture: Fixture): void {
  const result = session(fixture, 'init, halt, reg', [
    'init',
    'halt',
    `say cpuid ${word(0xe000ed00)}`,
    `say idcode ${word(0xe0042000)}`,
    `say rom_entry_0 ${word(0xe00ff000)}`,
    `say rom_entry_5 ${word(0xe00ff014)}`,
    'say flash_kib [lindex [read_memory 0x1fff7a22 16 1] 0]',
    'reg',
    `say xpsr_thumb [expr {(${register('xPSR')} >> 24) & 1}]`,
  ]);
  values(fixture, result, {
    cpuid: 0x410fc241,
    idcode: 0x20036419,
    rom_entry_0: 0xfff0f003,
    rom_entry_5: 0xfff42003,
    flash_kib: 2048,
    xpsr_thumb: 1,
  });
  says(fixture, result, 'comparators', /6 breakpoints, 4 watchpoints/);
}

export function debugPort(fixture: Fixture): void {
  const result = session(fixture, 'dap info', [
    'init',
    'say dpidr [stm32f4x.dap dpreg 0]',
    'say ap_idr [stm32f4x.dap apreg 0 0xfc]',
    'say ap_base [stm32f4x.dap apreg 0 0xf8]',
    'dap info',
  ]);
  values(fixture, result, { dpidr: 0x2ba01477, ap_idr: 0x24770011, ap_base: 0xe00ff003 });
  for (const part of ['SCS', 'DWT', 'FPB|FBP|Breakpoint', 'ITM', 'TPIU', 'ETM']) {
    says(fixture, result, `names ${part}`, new RegExp(part));
  }
}

export function runControl(fixture: Fixture): void {
  const result = session(fixture, 'reset, step, breakpoint', [
    'init',
    'reset halt',
    `say pc_after_reset ${register('pc')}`,
    `say sp_after_reset ${register('sp')}`,
    'step',
    `say pc_after_step ${register('pc')}`,
    'bp 0x08000108 2 hw',
    'resume',
    'wait_halt 1000',
    `say pc_at_breakpoint ${register('pc')}`,
    `say r0_at_breakpoint ${register('r0')}`,
    'resume',
    'wait_halt 1000',
    `say r0_next_round ${register('r0')}`,
    'rbp 0x08000108',
    'reg r5 0x12345678',
    'reg pc 0x08000100',
    'step',
    `say r5_kept ${register('r5')}`,
    'reset init',
    `say pll_clock [expr {(${word(0x40023808)} >> 2) & 3}]`,
    'reset run',
    'sleep 50',
    'halt',
    `say r0_ran [expr {${register('r0')} > 1000}]`,
    'resume',
  ]);
  values(fixture, result, {
    pc_after_reset: 0x08000100,
    sp_after_reset: 0x20010000,
    pc_after_step: 0x08000102,
    pc_at_breakpoint: 0x08000108,
    r0_at_breakpoint: 1,
    r0_next_round: 2,
    r5_kept: 0x12345678,
    pll_clock: 2,
    r0_ran: 1,
  });
}

export function watchpoint(fixture: Fixture): void {
  const result = session(fixture, 'watchpoint', [
    'init',
    'reset halt',
    `write_memory ${hex(COUNTER)} 32 0`,
    `wp ${hex(COUNTER)} 4 w`,
    'resume',
    'wait_halt 1000',
    `say counter_at_watchpoint ${word(COUNTER)}`,
    `say r0_at_watchpoint ${register('r0')}`,
    `say pc_soon_after [expr {${register('pc')} - 0x08000106 <= 4}]`,
    `say trap_flag [expr {(${word(0xe000ed30)} >> 2) & 1}]`,
    `rwp ${hex(COUNTER)}`,
    'resume',
    'sleep 20',
    'halt',
    `say runs_without [expr {${register('r0')} > 100}]`,
    'resume',
  ]);
  values(fixture, result, { counter_at_watchpoint: 1, r0_at_watchpoint: 1, pc_soon_after: 1, runs_without: 1 });
  // OpenOCD reads and clears the flag in DAP mode; in HLA mode it leaves it and knows no reason.
  if (fixture.transport === 'dap') says(fixture, result, 'reason told', /halted due to watchpoint/);
  else values(fixture, result, { trap_flag: 1 });
}

export function memory(fixture: Fixture): void {
  const image = fixture.path('program.bin');
  writeFileSync(image, counterProgram());
  const result = session(fixture, 'mdw, mww, load_image', [
    'init',
    'reset halt',
    'mww 0x20000100 0x11223344',
    'mwh 0x20000104 0x7788',
    'mwb 0x20000106 0x66',
    'mwb 0x20000107 0x55',
    'mdw 0x20000100 2',
    'say unaligned [lindex [read_memory 0x20000101 8 1] 0]',
    `say second ${word(0x20000104)}`,
    `load_image ${image} 0x20001000`,
    `verify_image ${image} 0x20001000`,
    'bp 0x20001108 2',
    'reg pc 0x20001100',
    'resume',
    'wait_halt 1000',
    `say pc_at_soft_breakpoint ${register('pc')}`,
    `say r0_at_soft_breakpoint ${register('r0')}`,
    'rbp 0x20001108',
    'catch {read_memory 0x30000000 32 1} message',
    `say alive_after_fault ${word(0xe000ed00)}`,
    'resume',
  ]);
  values(fixture, result, {
    unaligned: 0x33,
    second: 0x55667788,
    pc_at_soft_breakpoint: 0x20001108,
    r0_at_soft_breakpoint: 1,
    alive_after_fault: 0x410fc241,
  });
  says(fixture, result, 'words shown', /0x20000100: 11223344 55667788/);
}

export function eraseSectors(fixture: Fixture): void {
  const result = session(fixture, 'flash probe, erase_sector', [
    'init',
    'reset init',
    'flash probe 0',
    'flash info 0',
    'stm32f2x options_read 0',
    'flash erase_sector 0 1 2',
    'flash erase_sector 0 12 13',
    `say erased_bank1 ${word(0x08004000)}`,
    `say erased_bank2 ${word(BANK2)}`,
    `say kept ${word(0x08000000)}`,
    'flash erase_check 0',
  ]);
  values(fixture, result, { erased_bank1: 0xffffffff, erased_bank2: 0xffffffff, kept: 0x20010000 });
  says(fixture, result, 'dual bank of 2 MB', /Dual Bank 2048 kiB STM32F42x\/43x\/469\/479 found/);
  says(fixture, result, 'options_read', /stm32f2x user_options 0x[0-9A-Fa-f]+/);
}

/** The asynchronous loader and the CRC algorithm run on the chip. */
export function writeAndVerify(fixture: Fixture, base: number, size: number): void {
  const bank = base < BANK2 ? 'bank 1' : 'bank 2';
  const image = randomFillSync(new Uint8Array(size));
  const file = fixture.path('image.bin');
  const [dump, back] = [fixture.path('image.dump'), fixture.path('image.bank')];
  writeFileSync(file, image);
  const at = hex(base);
  const result = session(fixture, `write, verify, read ${bank}`, [
    'init',
    'reset init',
    `flash write_image erase ${file} ${at}`,
    `verify_image ${file} ${at}`,
    `dump_image ${dump} ${at} ${size}`,
    `flash read_bank 0 ${back} ${hex(base - 0x08000000)} ${size}`,
  ]);
  says(fixture, result, 'write_image', /wrote \d+ bytes from file/);
  says(fixture, result, 'verify_image', new RegExp(`verified ${size} bytes`));
  fixture.checks.check('dump_image, byte for byte', Buffer.from(image).equals(readOr(dump)));
  fixture.checks.check('read_bank, byte for byte', Buffer.from(image).equals(readOr(back)));
  const took = [...result.text.matchAll(/(wrote|verified|dumped) (\d+) bytes.* in ([\d.]+)s/g)];
  process.stdout.write(`     ${took.map(([, what, bytes, s]) => `${what} ${bytes} B in ${s} s`).join('; ')}\n`);
}

export function massErase(fixture: Fixture): void {
  const result = session(fixture, 'mass_erase', [
    'init',
    'reset init',
    ...ERASED_STARTS,
    'flash fillw 0x08000000 0x12345678 4',
    `flash fillw ${hex(BANK2)} 0x12345678 4`,
    `say filled ${word(BANK2)}`,
    'stm32f2x mass_erase 0',
    `say bank1 ${word(0x08000000)}`,
    `say bank2 ${word(BANK2)}`,
  ]);
  values(fixture, result, { filled: 0x12345678, bank1: 0xffffffff, bank2: 0xffffffff });
}

/** Level 1 on, a look from outside, level 0 again: the chip must have erased itself. */
export async function readProtection(fixture: Fixture): Promise<void> {
  const level = `[expr {(${word(FLASH_OPTCR)} >> 8) & 0xff}]`;
  const readable = '[expr {![catch {read_memory 0x08000000 32 1}]}]';
  const filled = session(fixture, 'lock, unlock', [
    'init',
    'reset init',
    ...ERASED_STARTS,
    'flash fillw 0x08000000 0x5ec2e75a 4',
    `say word ${word(0x08000000)}`,
    'stm32f2x lock 0',
  ]);
  values(fixture, filled, { word: 0x5ec2e75a });
  await fixture.powerCycle();
  const locked = session(fixture, 'lock, unlock', [
    'init',
    'halt',
    `say level_0 [expr {${level} == 0xaa}]`,
    `say readable ${readable}`,
    'stm32f2x unlock 0',
  ]);
  values(fixture, locked, { level_0: 0, readable: 0 });
  await fixture.powerCycle();
  const unlocked = session(fixture, 'lock, unlock', [
    'init',
    'halt',
    `say level_byte ${level}`,
    `say word ${word(0x08000000)}`,
  ]);
  values(fixture, unlocked, { level_byte: 0xaa, word: 0xffffffff });
}

function readOr(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch {
    return new Uint8Array(0);
  }
}
