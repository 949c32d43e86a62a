// What a person does to the virtual board by hand: lines read from standard input (docs/simulation.md, "Driving it").
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Board } from '../../sim/board.ts';

/** Board time between `off` and `on` of a power cycle, ns: long enough for every capacitor we pretend to have. */
const OFF_NS = 50e6;
/** How long the reset button is held, ns. */
const RESET_NS = 1e6;

/** Line → what it does, in words and in deed. */
const ACTIONS: Readonly<Record<string, { readonly help: string; readonly act: (board: Board) => void }>> = {
  'power off': { help: 'cut the supply now', act: (board) => board.powerOff() },
  'power on': { help: 'switch the supply on', act: (board) => board.powerOn() },
  'power cycle': { help: 'off, 50 ms of board time, on', act: powerCycle },
  reset: { help: 'press and release the reset button', act: pressReset },
  'boot0 up': {
    help: 'strap BOOT0 to the supply: the next reset starts system memory',
    act: (board) => board.strapBoot0(true),
  },
  'boot0 down': { help: 'strap BOOT0 to ground', act: (board) => board.strapBoot0(false) },
  'reset hold': { help: 'press the reset button and keep it down', act: (board) => board.pressButton() },
  'reset release': { help: 'let the reset button go', act: (board) => board.releaseButton() },
};

/** The lines understood, for help texts. */
export const CONTROL_LINES: readonly string[] = Object.entries(ACTIONS).map(([line, { help }]) => `${line}: ${help}`);

/** Called with the line carried out, or with `known` false for one that means nothing. */
export type ControlReport = (line: string, known: boolean) => void;

/** Carries out one line; empty ones are nothing. */
export function control(board: Board, line: string, report: ControlReport): void {
  const words = line.trim().split(/\s+/).join(' ');
  if (words === '') return;
  const action = Object.hasOwn(ACTIONS, words) ? ACTIONS[words] : undefined;
  action?.act(board);
  report(words, action !== undefined);
}

/** Follows every line of `input` until it ends or the returned function is called. */
export function followLines(board: Board, input: Readable, report: ControlReport): () => void {
  const lines = createInterface({ input });
  lines.on('line', (line) => control(board, line, report));
  return () => {
    lines.close();
    input.destroy();
  };
}

function powerCycle(board: Board): void {
  board.powerOff();
  board.runTo(board.time.now + OFF_NS);
  board.powerOn();
}

function pressReset(board: Board): void {
  board.pressButton();
  board.runTo(board.time.now + RESET_NS);
  board.releaseButton();
}
