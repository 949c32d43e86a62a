// Stock OpenOCD against the virtual probe and chip: what a real board would have to answer. Expected values come from
// the reference sheets (stm32f427 §1.1, §1.2, stlink §5.1), not from the simulator.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomFillSync } from 'node:crypto';
import { Checks, openocd, startProbe } from './bench.ts';
import type { Session, Transport, VirtualProbe } from './bench.ts';

const BANK1 = 0x08000000;
const BANK2 = 0x08100000;

const checks = new Checks();
const folder = mkdtempSync(join(tmpdir(), 'openocd-check-'));
const path = (name: string) => join(folder, name);
const word = (address: number) => `[lindex [read_memory 0x${address.toString(16)} 32 1] 0]`;
const register = (name: string) => `[dict get [get_reg ${name}] ${name}]`;

/** Vector table at 0 (stack 0x20010000, reset 0x08000101), then from 0x100: movs r0,#0; adds r0,#1; nop; b back to adds. */
function counterProgram(): Uint8Array {
  const image = new Uint8Array(0x108).fill(0xff);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x20010000, true);
  for (let vector = 4; vector < 0x40; vector += 4) view.setUint32(vector, 0x08000101, true);
  [0x2000, 0x3001, 0xbf00, 0xe7fc].forEach((half, index) => view.setUint16(0x100 + 2 * index, half, true));
  return image;
}

function identity(transport: Transport, port: number): void {
  const commands = [
    'init',
    'halt',
    `say cpuid ${word(0xe000ed00)}`,
    `say idcode ${word(0xe0042000)}`,
    `say rom_entry_0 ${word(0xe00ff000)}`,
    `say rom_entry_5 ${word(0xe00ff014)}`,
    'say flash_kib [lindex [read_memory 0x1fff7a22 16 1] 0]',
  ];
  if (transport === 'dap')
    commands.push(
      'say dpidr [stm32f4x.dap dpreg 0]',
      'say ap_idr [stm32f4x.dap apreg 0 0xfc]',
      'say ap_base [stm32f4x.dap apreg 0 0xf8]',
      'dap info',
    );
  commands.push('reg', `say xpsr_thumb [expr {(${register('xPSR')} >> 24) & 1}]`);
  const session = openocd(transport, port, commands);
  checks.check(`${transport}: init and halt`, session.status === 0, `${session.seconds.toFixed(1)} s`);
  checks.value(session, transport, 'cpuid', 0x410fc241);
  checks.value(session, transport, 'idcode', 0x20036419);
  checks.value(session, transport, 'rom_entry_0', 0xfff0f003);
  checks.value(session, transport, 'rom_entry_5', 0xfff42003);
  checks.value(session, transport, 'flash_kib', 0x0800);
  checks.value(session, transport, 'xpsr_thumb', 1);
  checks.says(session, `${transport}: 6 breakpoints, 4 watchpoints`, /6 breakpoints, 4 watchpoints/);
  if (transport !== 'dap') return;
  checks.value(session, transport, 'dpidr', 0x2ba01477);
  checks.value(session, transport, 'ap_idr', 0x24770011);
  checks.value(session, transport, 'ap_base', 0xe00ff003);
  for (const part of ['SCS', 'DWT', 'FPB|FBP|Breakpoint', 'ITM', 'TPIU', 'ETM'])
    checks.says(session, `dap info names ${part}`, new RegExp(part));
}

function control(transport: Transport, port: number): void {
  const session = openocd(transport, port, [
    'init',
    'reset halt',
    `say pc_after_reset ${register('pc')}`,
    `say sp_after_reset ${register('sp')}`,
    'step',
    `say pc_after_step ${register('pc')}`,
    'bp 0x08000104 2 hw',
    'resume',
    'wait_halt 1000',
    `say pc_at_breakpoint ${register('pc')}`,
    `say r0_at_breakpoint ${register('r0')}`,
    'resume',
    'wait_halt 1000',
    `say r0_next_round ${register('r0')}`,
    'rbp 0x08000104',
    'reg r5 0x12345678',
    'reg pc 0x08000100',
    'step',
    `say r5_kept ${register('r5')}`,
    'wp 0x20000040 4 w',
    'rwp 0x20000040',
    'write_memory 0x20000100 32 {0x11223344 0x55667788}',
    'say unaligned [lindex [read_memory 0x20000101 8 1] 0]',
    'say second [lindex [read_memory 0x20000104 32 1] 0]',
    'reset init',
    `say pll_clock [expr {(${word(0x40023808)} >> 2) & 3}]`,
    'reset run',
    'sleep 50',
    'halt',
    `say r0_ran [expr {${register('r0')} > 1000}]`,
    'catch {read_memory 0x30000000 32 1} message',
    `say alive_after_fault ${word(0xe000ed00)}`,
    'resume',
  ]);
  checks.check(`${transport}: run control session`, session.status === 0, `${session.seconds.toFixed(1)} s`);
  const expected = {
    pc_after_reset: 0x08000100,
    sp_after_reset: 0x20010000,
    pc_after_step: 0x08000102,
    pc_at_breakpoint: 0x08000104,
    r0_at_breakpoint: 1,
    r0_next_round: 2,
    r5_kept: 0x12345678,
    unaligned: 0x33,
    second: 0x55667788,
    pll_clock: 2,
    r0_ran: 1,
    alive_after_fault: 0x410fc241,
  };
  for (const [name, value] of Object.entries(expected)) checks.value(session, transport, name, value);
  explain(session);
}

function flash(transport: Transport, port: number): void {
  const images = [
    { name: 'bank1', base: BANK1, image: randomFillSync(new Uint8Array(64 * 1024)) },
    { name: 'bank2', base: BANK2, image: randomFillSync(new Uint8Array(40_000)) },
  ];
  for (const { name, image } of images) writeFileSync(path(`${name}.bin`), image);
  const start = ['init', 'reset init'];
  const probe = openocd(transport, port, [
    ...start,
    'flash probe 0',
    'flash info 0',
    'stm32f2x options_read 0',
    'flash erase_sector 0 1 2',
    `say erased_word ${word(0x08004000)}`,
    'flash erase_check 0',
  ]);
  checks.check(`${transport}: flash probe, erase_sector`, probe.status === 0, `${probe.seconds.toFixed(1)} s`);
  checks.value(probe, transport, 'erased_word', 0xffffffff);
  checks.says(probe, `${transport}: dual bank of 2 MB`, /Dual Bank 2048 kiB STM32F42x\/43x\/469\/479 found/);
  checks.says(probe, `${transport}: options_read`, /stm32f2x user_options 0x[0-9A-Fa-f]+/);
  explain(probe);
  for (const { name, base, image } of images) {
    const file = path(`${name}.bin`);
    const dump = path(`${name}.dump`);
    const at = `0x${base.toString(16)}`;
    const write = openocd(transport, port, [...start, `flash write_image erase ${file} ${at}`]);
    checks.says(write, `${transport}: write_image ${name}`, /wrote \d+ bytes from file/);
    explain(write);
    const verify = openocd(transport, port, [...start, `verify_image ${file} ${at}`]);
    checks.says(verify, `${transport}: verify_image ${name}`, /verified \d+ bytes/);
    explain(verify);
    const read = openocd(transport, port, [...start, `dump_image ${dump} ${at} ${image.length}`]);
    checks.says(read, `${transport}: dump_image ${name}`, /dumped \d+ bytes/);
    checks.check(`${transport}: ${name} reads back byte for byte`, Buffer.from(image).equals(readDump(dump)));
    process.stdout.write(figures(write, verify, read));
  }
}

function readDump(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch {
    return new Uint8Array(0);
  }
}

/** Wall seconds of the sessions and what OpenOCD itself measured. */
function figures(...sessions: readonly Session[]): string {
  const own = sessions.map(({ text, seconds }) => {
    const line = /(wrote|verified|dumped) (\d+) bytes.* in ([\d.]+)s/.exec(text);
    return line === null ? `? (${seconds.toFixed(1)} s)` : `${line[1]} ${line[2]} B in ${line[3]} s`;
  });
  return `     ${own.join('; ')}\n`;
}

/** When asked for (VERBOSE=1) or when a session failed: what OpenOCD said. */
function explain(session: Session): void {
  if (process.env['VERBOSE'] === '1' || session.status !== 0)
    process.stdout.write(session.text.replace(/^/gm, '     | '));
}

async function withProbe(args: readonly string[], work: (probe: VirtualProbe) => void): Promise<void> {
  writeFileSync(path('flash.bin'), counterProgram());
  const probe = await startProbe(['--flash', path('flash.bin'), ...args]);
  try {
    work(probe);
  } finally {
    const code = await probe.stop();
    checks.check('the virtual probe ends cleanly', code === 0);
  }
}

const transports: readonly Transport[] = ['dap', 'hla'];
for (const transport of transports)
  await withProbe([], ({ port }) => {
    identity(transport, port);
    control(transport, port);
    flash(transport, port);
  });
await withProbe(['--stlink', 'v3'], ({ port }) => identity('dap', port));
await withProbe(['--stlink', 'v2-1'], ({ port }) => identity('hla', port));
rmSync(folder, { recursive: true, force: true });
checks.summary();
