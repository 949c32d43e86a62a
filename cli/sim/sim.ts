// `blindflash sim`: a virtual ST-LINK with a virtual STM32 as a process of its own, for our agent or anybody's tools
// over the stlink-server protocol (docs/reference/stlink.md §4).
import { asBlindflashError, fail } from '../../shared/errors/errors.ts';
import { Board } from '../../sim/board.ts';
import type { ChipName } from '../../sim/chips/stm32f4.ts';
import type { FlashTiming } from '../../sim/peripherals/flash-timing.ts';
import { PROBE_TIMINGS, type ProbeTiming } from '../../sim/stlink/cost.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import type { BootMode } from '../../sim/peripherals/syscfg.ts';
import { serverState } from '../../sim/stlink/server-session.ts';
import { listenStlinkServer } from '../../sim/stlink/tcp-server.ts';
import { VirtualStlink } from '../../sim/stlink/virtual-stlink.ts';
import { listenUsbSocket } from '../../sim/edge/usb-socket.ts';
import { WallDriver } from '../../sim/edge/wall-driver.ts';
import type { EventOf } from '../json-events.ts';
import { print, printJson, printPiece, say } from '../terminal/output.ts';
import { obeyLines } from './board-control.ts';
import { CaptureFile } from './capture-file.ts';
import { FlashFile } from './flash-file.ts';
import { boardSwitches, probeSwitches } from './model-flags.ts';

const HOST = '127.0.0.1';
const SAVE_EVERY_MS = 1000;

export interface SimArguments extends Readonly<Record<string, unknown>> {
  readonly tcp: number;
  readonly flash: string | undefined;
  readonly stlink: IdentityName;
  readonly board: ChipName;
  readonly rdp: 0 | 1 | 2 | undefined;
  readonly boot: BootMode;
  readonly 'flash-timing': FlashTiming;
  readonly 'probe-timing': ProbeTiming;
  readonly serial: string | undefined;
  readonly optcr: string | undefined;
  readonly optcr1: string | undefined;
  readonly 'nrst-rise': number;
  readonly seed: number;
  readonly strict: boolean;
  readonly uart: boolean;
  readonly json: boolean;
  readonly capture: string | undefined;
  readonly 'usb-socket': string | undefined;
}

/** Serves until SIGINT or SIGTERM. */
export async function runSim(args: SimArguments): Promise<void> {
  if (!Number.isSafeInteger(args.seed)) throw fail('BF-USAGE', '--seed takes a whole number');
  const board = makeBoard(args);
  const file = args.flash === undefined ? undefined : new FlashFile(args.flash, board);
  if (setOptions(board, args)) file?.touch();
  file?.save();
  board.powerOn();
  const capture = args.capture === undefined ? undefined : new CaptureFile(args.capture);
  const { onExchange, onSwd } = capture ?? {};
  const taps = { ...(onExchange && { onExchange }), ...(onSwd && { onSwd }) };
  const cost = PROBE_TIMINGS[args['probe-timing']];
  const stlink = new VirtualStlink({ board, identity: args.stlink, switches: probeSwitches(args), cost, ...taps });
  const driver = new WallDriver(stlink, args.serial);
  const server = await listenStlinkServer(serverState(driver), args.tcp, HOST);
  const usb = args['usb-socket'] === undefined ? undefined : await listenUsbSocket(driver, args['usb-socket']);
  driver.start();
  const save = (): void => {
    file?.save();
    capture?.flush();
  };
  const saving = setInterval(
    kept(save, (sentence) => report(args, 'warning', sentence)),
    SAVE_EVERY_MS,
  );
  const quiet = obeyLines(board, process.stdin, (line, known) =>
    report(args, known ? 'control' : 'not understood', line),
  );
  announce(args, stlink, server.port);
  await stopSignal();
  quiet();
  clearInterval(saving);
  driver.stop();
  await Promise.all([server.close(), usb?.close()]);
  save();
  capture?.close();
  for (const warning of board.warnings) report(args, 'warning', warning);
}

/** Option bytes as the command line wants them; true when it wants any. */
function setOptions(board: Board, { optcr, optcr1, rdp }: SimArguments): boolean {
  if (optcr !== undefined || optcr1 !== undefined) {
    board.options.load(optcr === undefined ? board.options.optcr : hexWord('--optcr', optcr), optcr1Of(board, optcr1));
  }
  if (rdp !== undefined) board.options.rdpLevel = rdp;
  return optcr !== undefined || optcr1 !== undefined || rdp !== undefined;
}

function optcr1Of(board: Board, text: string | undefined): number {
  return text === undefined ? board.options.optcr1 : hexWord('--optcr1', text);
}

function hexWord(option: string, text: string): number {
  if (!/^(0x)?[0-9a-f]{1,8}$/i.test(text)) throw fail('BF-USAGE', `${option} takes up to eight hex digits`);
  return Number.parseInt(text.replace(/^0x/i, ''), 16);
}

function makeBoard(args: SimArguments): Board {
  const board = new Board({
    chip: args.board,
    seed: args.seed,
    strict: args.strict,
    boot: args.boot,
    flashTiming: args['flash-timing'],
    nrstRiseNs: args['nrst-rise'] * 1e6,
    switches: boardSwitches(args),
  });
  if (args.uart) board.uart.onByte = uartPrinter(args);
  return board;
}

/** As they come for people, without what could drive their terminal; whole lines for machines. */
function uartPrinter(args: SimArguments): (byte: number) => void {
  const utf8 = new TextDecoder();
  if (!args.json) return (byte) => printPiece(utf8.decode(Uint8Array.of(byte), { stream: true }).replace('\r', ''));
  let line = '';
  return (byte) => {
    if (byte !== 0x0a) {
      line += String.fromCharCode(byte);
    } else {
      report(args, 'uart', line.replace(/\r$/, ''));
      line = '';
    }
  };
}

/** `work` for a timer: the board lives on when a disk is full or a folder gone, and its user is told once. */
function kept(work: () => void, tell: (sentence: string) => void): () => void {
  let failing = false;
  return () => {
    try {
      work();
      failing = false;
    } catch (error) {
      if (!failing) tell(asBlindflashError(error).message);
      failing = true;
    }
  };
}

function announce(args: SimArguments, stlink: VirtualStlink, port: number): void {
  const { name, firmware, serial } = stlink.identity;
  const chip = args.board.toUpperCase();
  const url = `tcp://${HOST}:${port}`;
  if (args.json) printJson({ event: 'ready', probe: name, firmware, serial, chip, host: HOST, port, url });
  else print(`virtual ${name} (${firmware}) with ${chip} on ${url}`);
}

/** An event of one text: an object for programs, a line of stderr for people. */
function report(args: SimArguments, event: Exclude<EventOf<'sim'>['event'], 'ready'>, text: string): void {
  if (args.json) printJson({ event, text });
  else say(`${event}: ${text}`);
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
