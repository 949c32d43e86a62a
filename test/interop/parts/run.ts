// Stock OpenOCD 0.12 on every board of the family: DEV_ID as documented (docs/reference/stm32f4.md §1.4), flash size as
// OpenOCD itself concludes, erase and write of the last sector.
import type { Checks } from '../openocd/checks.ts';
import { openocd } from '../openocd/session.ts';
import { startProbe } from '../openocd/virtual-probe.ts';

interface Part {
  readonly board: string;
  readonly devId: number;
  readonly flashKb: number;
  readonly lastSector: number;
  readonly lastBase: number;
}

const PARTS: readonly Part[] = [
  { board: 'stm32f405', devId: 0x413, flashKb: 1024, lastSector: 11, lastBase: 0x080e0000 },
  { board: 'stm32f407', devId: 0x413, flashKb: 1024, lastSector: 11, lastBase: 0x080e0000 },
  { board: 'stm32f427', devId: 0x419, flashKb: 2048, lastSector: 23, lastBase: 0x081e0000 },
  { board: 'stm32f429', devId: 0x419, flashKb: 2048, lastSector: 23, lastBase: 0x081e0000 },
  { board: 'stm32f439', devId: 0x419, flashKb: 2048, lastSector: 23, lastBase: 0x081e0000 },
  { board: 'stm32f446', devId: 0x421, flashKb: 512, lastSector: 7, lastBase: 0x08060000 },
  { board: 'stm32f469', devId: 0x434, flashKb: 2048, lastSector: 23, lastBase: 0x081e0000 },
  { board: 'stm32f411', devId: 0x431, flashKb: 512, lastSector: 7, lastBase: 0x08060000 },
  { board: 'stm32f401', devId: 0x433, flashKb: 512, lastSector: 7, lastBase: 0x08060000 },
  { board: 'stm32f401xc', devId: 0x423, flashKb: 256, lastSector: 5, lastBase: 0x08020000 },
];

/** Every board in turn. */
export async function openocdOnOtherParts(checks: Checks): Promise<void> {
  for (const part of PARTS) await openocdOn(part, checks);
}

async function openocdOn(part: Part, checks: Checks): Promise<void> {
  const probe = await startProbe(['--board', part.board]);
  const at = `0x${part.lastBase.toString(16)}`;
  const session = openocd('dap', { port: probe.port }, [
    'init',
    'reset halt',
    'say idcode [expr {[lindex [read_memory 0xe0042000 32 1] 0] & 0xfff}]',
    'flash probe 0',
    `flash fillw ${at} 0x12345678 4`,
    `say written [lindex [read_memory ${at} 32 1] 0]`,
    `flash erase_sector 0 ${part.lastSector} ${part.lastSector}`,
    `say erased [lindex [read_memory ${at} 32 1] 0]`,
    'reg d2 0x40490fdb3f800000',
    'say d2 [dict get [get_reg d2] d2]',
  ]);
  checks.at('OpenOCD dap', part.board);
  const expected = { idcode: part.devId, written: 0x12345678, erased: 0xffffffff };
  for (const [name, value] of Object.entries(expected)) {
    checks.equal(`${part.board}: ${name}`, Number(session.values.get(name)), value);
  }
  checks.check(`${part.board}: floating-point registers`, /^0x40490fdb3f800000$/i.test(session.values.get('d2') ?? ''));
  const size = new RegExp(`flash size = ${part.flashKb} (kbytes|KiB)|\\b${part.flashKb} kiB`, 'i');
  checks.check(`${part.board}: ${part.flashKb} KiB`, size.test(session.text));
  if (process.env['VERBOSE'] === '1') process.stdout.write(session.text.replace(/^/gm, '     | '));
  await probe.stop();
}
