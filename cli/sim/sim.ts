// `blindflash sim`: a virtual ST-LINK with a virtual STM32 as a process of its own, for our agent or anybody's tools
// over the stlink-server protocol (docs/reference/stlink.md §4).
import { asBlindflashError, fail } from '../../shared/errors/errors.ts';
import type { Board } from '../../sim/board.ts';
import { PROBE_TIMINGS, type ProbeTiming } from '../../sim/stlink/cost.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { serverState } from '../../sim/stlink/server-session.ts';
import { listenStlinkServer } from '../../sim/stlink/tcp-server.ts';
import { VirtualStlink } from '../../sim/stlink/virtual-stlink.ts';
import { listenUsbSocket } from '../../sim/edge/usb-socket.ts';
import { WallDriver } from '../../sim/edge/wall-driver.ts';
import type { EventOf } from '../json-events.ts';
import { print, printJson, printPiece, say } from '../terminal/output.ts';
import { boardOf, loadOptions, type BoardArguments } from './board-arguments.ts';
import { followLines } from './board-control.ts';
import { CaptureFile } from './capture-file.ts';
import { FlashFile } from './flash-file.ts';
import { connectSerial, type SerialArguments } from './serial-line.ts';
import { probeSwitches } from './model-flags.ts';

const HOST = '127.0.0.1';
const SAVE_EVERY_MS = 1000;

export interface SimArguments extends BoardArguments, SerialArguments {
  readonly tcp: number;
  readonly flash: string | undefined;
  readonly stlink: IdentityName;
  readonly 'probe-timing': ProbeTiming;
  readonly 'probe-serial': string | undefined;
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
  if (loadOptions(board, args)) file?.touch();
  file?.save();
  board.powerOn();
  const capture = args.capture === undefined ? undefined : new CaptureFile(args.capture);
  const { onExchange, onSwd } = capture ?? {};
  const taps = { ...(onExchange && { onExchange }), ...(onSwd && { onSwd }) };
  const cost = PROBE_TIMINGS[args['probe-timing']];
  const stlink = new VirtualStlink({ board, identity: args.stlink, switches: probeSwitches(args), cost, ...taps });
  const driver = new WallDriver(stlink, args['probe-serial']);
  const server = await listenStlinkServer(serverState(driver), args.tcp, HOST);
  const usb = args['usb-socket'] === undefined ? undefined : await listenUsbSocket(driver, args['usb-socket']);
  const serial = await connectSerial(board, args, HOST);
  driver.start();
  const save = (): void => {
    file?.save();
    capture?.flush();
  };
  const saving = setInterval(
    kept(save, (sentence) => report(args, 'warning', sentence)),
    SAVE_EVERY_MS,
  );
  const quiet = followLines(board, process.stdin, (line, known) =>
    report(args, known ? 'control' : 'not understood', line),
  );
  if (serial !== undefined) announceSerial(args, serial.address);
  announce(args, stlink, driver.serial, server.port);
  await stopSignal();
  quiet();
  clearInterval(saving);
  driver.stop();
  await Promise.all([server.close(), usb?.close(), serial?.close()]);
  save();
  capture?.close();
  for (const warning of board.warnings) report(args, 'warning', warning);
}

function makeBoard(args: SimArguments): Board {
  const board = boardOf(args);
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

function announce(args: SimArguments, stlink: VirtualStlink, serial: string, port: number): void {
  const { name, firmware } = stlink.identity;
  const chip = args.board.toUpperCase();
  const url = `tcp://${HOST}:${port}`;
  if (args.json) printJson({ event: 'ready', probe: name, firmware, serial, chip, host: HOST, port, url });
  else print(`virtual ${name} (${firmware}) with ${chip} on ${url}`);
}

function announceSerial(args: SimArguments, address: string): void {
  const unit = args['serial-unit'];
  if (args.json) printJson({ event: 'serial', unit, address });
  else print(`${unit} on ${address}`);
}

/** An event of one text: an object for programs, a line of stderr for people. */
function report(args: SimArguments, event: Exclude<EventOf<'sim'>['event'], 'ready' | 'serial'>, text: string): void {
  if (args.json) printJson({ event, text });
  else say(`${event}: ${text}`);
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
