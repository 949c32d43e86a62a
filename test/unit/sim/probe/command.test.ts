// What `blindflash sim` adds around the models: the board's controls, the capture of both wires, flags of the switches,
// and the USB pipe for hosts outside virtual time.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs, { type Argv } from 'yargs';
import { Board } from '../../../../sim/board.ts';
import { boardOf, loadOptions, type BoardArguments } from '../../../../cli/sim/board-arguments.ts';
import { control } from '../../../../cli/sim/board-control.ts';
import { CaptureFile } from '../../../../cli/sim/capture-file.ts';
import { FlashFile } from '../../../../cli/sim/flash-file.ts';
import { isBlindflashError } from '../../../../shared/errors/errors.ts';
import { asYargsCommand } from '../../../../cli/command.ts';
import { boardSwitches, probeSwitches } from '../../../../cli/sim/model-flags.ts';
import { BOARD_ROWS, PROBE_ROWS } from '../../../../cli/sim/model-options.ts';
import { readDocument } from '../../../../scripts/generated-text.ts';
import { SIM } from '../../../../cli/sim/commands.ts';
import { DEFAULT_SWITCHES as BOARD_DEFAULTS } from '../../../../sim/peripherals/model-switches.ts';
import { DEFAULT_SWITCHES as PROBE_DEFAULTS } from '../../../../sim/stlink/firmware.ts';
import { descriptorBytes } from '../../../../sim/stlink/usb-descriptors.ts';
import { IDENTITIES } from '../../../../sim/stlink/identity.ts';
import { UsbPipe } from '../../../../sim/stlink/usb-pipe.ts';
import { probeFixture, bytes, hex } from './probe-fixture.ts';

describe('controls of the virtual board', () => {
  const told: string[] = [];
  const say = (board: Board, line: string): void =>
    control(board, line, (text, known) => told.push(`${text} ${known}`));

  it('cut and restore the supply, and press the button', () => {
    const board = new Board();
    board.powerOn();
    board.runTo(2e6);
    const { powerUps } = board;
    say(board, 'power off');
    assert.equal(board.powered, false);
    say(board, ' power  on ');
    assert.equal(board.powered, true);
    say(board, 'power cycle');
    assert.equal(board.powerUps, powerUps + 2);
    assert.ok(board.time.now >= 52e6);
    say(board, 'reset');
    assert.equal(board.nrstAsserted, false);
    say(board, '');
    say(board, 'toString');
    assert.deepEqual(told, ['power off true', 'power on true', 'power cycle true', 'reset true', 'toString false']);
  });
});

describe('board of the command line', () => {
  const options = asYargsCommand(SIM).builder as (cli: Argv) => Argv;
  const parse = (line: string): BoardArguments =>
    options(yargs(line.split(' ')).exitProcess(false)).parseSync() as unknown as BoardArguments;
  const made = (line: string): Board => {
    const board = boardOf(parse(line));
    loadOptions(board, parse(line));
    board.powerOn();
    board.runTo(5e6);
    return board;
  };

  it('has the option bytes, the straps and the times that its flags name', () => {
    const board = made('--board stm32f427xg --optcr 4ffcaaed --optcr1 0x0ff00000 --boot system --flash-timing f429');
    assert.deepEqual(board.options.words, { user: 0xaaef, wrp1: 0x4ffc, wrp2: 0x0ff0 });
    assert.equal(board.flash.array.sectors.length, 16);
    assert.equal(board.core.regs[15]! >>> 16, 0x1fff);
    assert.equal(made('--optcr 0ffcaaed --rdp 1').options.optcr, 0x0ffc55ec);
    assert.equal(loadOptions(new Board(), parse('')), false);
    assert.throws(
      () => made('--optcr 0x12345678z'),
      (error) => isBlindflashError(error, 'BF-USAGE'),
    );
  });

  it('obeys the held button, the straps and a slow reset line', () => {
    const board = made('--nrst-rise 40');
    const say = (line: string): void => control(board, line, () => {});
    say('reset hold');
    assert.equal(board.nrstAsserted, true);
    say('boot0 up');
    say('reset release');
    board.runTo(board.time.now + 39e6);
    assert.ok(board.inReset);
    board.runTo(board.time.now + 2e6);
    assert.equal(board.core.regs[15]! >>> 16, 0x1fff);
    say('boot0 down');
    assert.equal(board.boot, 'flash');
  });
});

describe('capture of both wires', () => {
  it('holds every word and every byte in the order they went', () => {
    const folder = mkdtempSync(join(tmpdir(), 'capture-'));
    const capture = new CaptureFile(join(folder, 'wires'));
    const { send, attach } = probeFixture({ onExchange: capture.onExchange, onSwd: capture.onSwd });
    attach();
    capture.flush();
    const before = readFileSync(join(folder, 'wires')).length;
    const data = hex(Uint8Array.from({ length: 600 }, (_, i) => i * 7));
    send('f2 08 00 00 00 20 58 02', data);
    capture.close();
    const captured = hex(readFileSync(join(folder, 'wires')).subarray(before));
    rmSync(folder, { recursive: true });
    const [swd, usb] = [captured.indexOf(data), captured.lastIndexOf(data)];
    assert.ok(swd >= 0 && usb > swd, 'once as SWD words, once as USB data');
    assert.equal(captured.slice(usb - 48, usb - 1), `f2 08 00 00 00 20 58 02${' 00'.repeat(8)}`);
  });
});

describe('file of flash and option bytes', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flash-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const unusable = (error: unknown): boolean => isBlindflashError(error, 'BF-USAGE-FILE');

  it('keeps a protection level that was set by hand', () => {
    const path = join(folder, 'board.bin');
    const board = new Board();
    const file = new FlashFile(path, board);
    file.save();
    board.options.rdpLevel = 1;
    file.touch();
    file.save();
    const next = new Board();
    void new FlashFile(path, next);
    assert.equal(next.options.rdpLevel, 1);
  });

  it('says which file cannot be used, and writes it later when it can', () => {
    const missing = join(folder, 'later');
    const file = new FlashFile(join(missing, 'board.bin'), new Board());
    assert.throws(() => file.save(), unusable);
    mkdirSync(missing);
    file.save();
    assert.equal(readFileSync(join(missing, 'board.bin')).length, 2 * 1024 * 1024 + 6);
    assert.throws(() => new FlashFile(missing, new Board()), unusable, 'a folder');
    writeFileSync(join(folder, 'long'), new Uint8Array(3 * 1024 * 1024));
    assert.throws(() => new FlashFile(join(folder, 'long'), new Board()), unusable);
  });
});

describe('flags of the model switches', () => {
  /** Each sets one switch to something else than the model's default. */
  const PROBE_FLAGS = [
    '--enter-halts',
    '--enter-opens-ap',
    '--exit-clears-debug',
    '--init-ap-sets-debug',
    '--no-nrst-wired',
    '--no-supply-wired',
    '--voltage-in-dfu answered',
    '--board-id hangs',
    '--failed-enter lingers',
    '--start-mode dfu',
  ];
  const BOARD_FLAGS = [
    '--latch-trip c-debugen',
    '--latch-on-sram-boot no',
    '--latch-on-system-boot',
    '--no-standby-clears',
    '--no-rtc-readable-at-rdp1',
    '--options-readable-at-rdp1',
    '--otp-readable-at-rdp1',
    '--sleeping-core-answers',
    '--registers-at-reset zero',
    '--backup-sram-for-debugger-at-rdp1',
    '--backup-sram-for-cpu-at-rdp1',
    '--backup-sram-for-dma-at-rdp1',
    '--dma-reaches-backup-sram any-port',
    '--word-before-latch',
    '--wrp-survives-regression',
    '--backup-sram-at-power-off lost',
    '--reset-flags power-too',
    '--cut-erase weak',
    '--unaligned-device splits',
    '--cut-options ones',
    '--rdp-in-force at-once',
    '--latch-ends any-reset',
    '--identity-at-rdp1 zero',
  ];
  const options = asYargsCommand(SIM).builder as (cli: Argv) => Argv;
  const parse = (line: string): Record<string, unknown> =>
    options(yargs(line.split(' ')).exitProcess(false)).parseSync() as Record<string, unknown>;

  it('default to what the models default to, but open access port 0 for programs that never ask for it', () => {
    const args = parse('');
    assert.deepEqual(probeSwitches(args), { ...PROBE_DEFAULTS, enterOpensAp: true });
    assert.equal(probeSwitches(parse('--no-enter-opens-ap')).enterOpensAp, false);
    assert.deepEqual(boardSwitches(args), { ...BOARD_DEFAULTS });
  });

  it('are listed in docs/simulation.md with their default and a source each, and no others are', () => {
    const rows = [...readDocument('docs/simulation.md').matchAll(/^\| `--(\S+)` +\| (.*?) +\| .*? \| (.*?) +\|$/gm)];
    const told = Object.fromEntries(rows.map(([, name, preset]) => [name, preset]));
    const word = (preset: unknown): string => (typeof preset === 'boolean' ? (preset ? 'yes' : 'no') : `\`${preset}\``);
    const declared = Object.entries({ ...PROBE_ROWS, ...BOARD_ROWS }).map(([name, row]) => [name, word(row.default)]);
    assert.deepEqual(told, Object.fromEntries(declared));
    for (const [, name, , source] of rows) assert.ok(source!.length > 8, name);
  });

  it('reach every switch', () => {
    const probe = probeSwitches(parse(PROBE_FLAGS.join(' ')));
    const probeNames = Object.keys(PROBE_DEFAULTS) as (keyof typeof PROBE_DEFAULTS)[];
    for (const name of probeNames) assert.notEqual(probe[name], PROBE_DEFAULTS[name], name);
    const board = boardSwitches(parse(BOARD_FLAGS.join(' ')));
    const names = Object.keys(BOARD_DEFAULTS) as (keyof typeof BOARD_DEFAULTS)[];
    for (const name of names) assert.notEqual(board[name], BOARD_DEFAULTS[name], name);
  });
});

describe('USB pipe outside virtual time', () => {
  function pipe(): { pipe: UsbPipe; attach: () => void } {
    const { probe, attach } = probeFixture();
    const exchange = async (command: Uint8Array, data: Uint8Array | undefined): Promise<Uint8Array> =>
      probe.exchange(command, data).reply;
    const { identity } = probe;
    const dataLength = (command: Uint8Array): number => probe.dataLength(command);
    return { pipe: new UsbPipe({ identity, serial: identity.serial, dataLength, exchange }), attach };
  }
  const whole = (text: string): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => bytes(text)[i] ?? 0);
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('ends a read with a short packet, or full, or not at all', async () => {
    const { pipe: usb, attach } = pipe();
    attach();
    assert.equal(usb.take(64), 'pending');
    usb.out(whole('f1'));
    await settled();
    assert.equal(hex(usb.take(64) as Uint8Array), '29 47 83 04 48 37');
    usb.out(whole('f2 07 00 00 00 20 80 00'));
    await settled();
    assert.equal(usb.take(200), 'pending', 'two full packets may be followed by more');
    assert.equal((usb.take(128) as Uint8Array).length, 128);
    usb.out(whole('f1'));
    await settled();
    assert.equal(usb.take(4), 'overflow');
  });

  it('collects data over several transfers and forgets it on reset', async () => {
    const { pipe: usb, attach } = pipe();
    attach();
    usb.out(whole('f2 08 00 00 00 20 08 00'));
    usb.out(bytes('01 02 03 04'));
    usb.reset();
    usb.out(whole('f2 08 00 00 00 20 08 00'));
    usb.out(bytes('11 12 13 14'));
    usb.out(bytes('15 16 17 18'));
    usb.out(whole('f2 07 00 00 00 20 08 00'));
    await settled();
    assert.equal(hex(usb.take(64) as Uint8Array), '11 12 13 14 15 16 17 18');
  });

  it('describes the endpoints of each probe as documented', () => {
    const tables = { v2: [0x02, 0x81, 0x83, 64], 'v2-1': [0x01, 0x81, 0x82, 64], v3: [0x01, 0x81, 0x82, 512] } as const;
    for (const [face, [out, input, trace, packet]] of Object.entries(tables)) {
      const all = descriptorBytes(IDENTITIES[face as keyof typeof tables]);
      assert.equal(all.length, 18 + 39, 'wTotalLength of a 3748 is 39');
      assert.equal(all[20], 39);
      const endpoints = [36, 43, 50].map((at) => [all[at + 2], all[at + 4]! | (all[at + 5]! << 8)]);
      assert.deepEqual(endpoints, [
        [out, packet],
        [input, packet],
        [trace, packet],
      ]);
    }
  });
});
