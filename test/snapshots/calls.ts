// Functions of the loader called by themselves on a board that waits in its installer.
import type { Board, BoardSnapshot } from '../../sim/board.ts';
import type { CortexM4Snapshot } from '../../sim/cpu/snapshot.ts';
import { record } from '../integration/loader/loader-fixture.ts';
import { linked } from '../integration/loader/prepared-boards.ts';
import type { Built } from './weak-loader.ts';

/** Where in SRAM input and output lie; nothing of the installer's that waits is there. */
export const INPUT = 0x2002c000;
export const OUTPUT = 0x2002c400;
const CYCLE_NS = 6;
const LIMIT_NS = 2e6;

/** A board with this loader, in its installer. */
export function boardOf({ loader }: Built): Board {
  return linked({ banks: [[record('BANK', 1)], []], loader }, `calls ${loader.length}`).board;
}

/** Calls a function; `put` lays out its input before, `look` sees the board at every cycle of it. */
export function call(
  built: Built,
  name: string,
  args: readonly number[],
  put: (board: Board) => void,
  look: (board: Board) => void = () => {},
): Board {
  const board = boardOf(built);
  const [entry, back] = [built.functions.get(name)!, built.functions.get('session_poll_forever')!];
  put(board);
  board.restore(calling(board.snapshot(), entry, back, args));
  const end = board.time.now + LIMIT_NS;
  while (board.core.regs[15] !== back) {
    if (board.time.now > end) throw new Error(`${name} does not return`);
    board.runTo(board.time.now + CYCLE_NS);
    look(board);
  }
  return board;
}

/** The board as it is, but about to call a function that returns to `back`. */
function calling(from: BoardSnapshot, entry: number, back: number, args: readonly number[]): BoardSnapshot {
  const core = from.core as CortexM4Snapshot;
  const regs = core.state.regs.slice();
  args.forEach((arg, i) => (regs[i] = arg));
  regs[14] = back | 1;
  regs[15] = entry;
  return { ...from, core: { ...core, sleep: 'no', state: { ...core.state, regs, primask: 1 } } };
}

export const write = (board: Board, at: number, words: readonly number[]): void =>
  words.forEach((word, i) => board.bus.write(at + 4 * i, word >>> 0, 4, 'debugger'));
