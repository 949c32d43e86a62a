// The board that the options of `blindflash sim` ask for.
import { fromHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { Board } from '../../sim/board.ts';
import type { ChipName } from '../../sim/chips/stm32f4.ts';
import type { FlashTiming } from '../../sim/peripherals/flash-timing.ts';
import type { BootMode } from '../../sim/peripherals/syscfg.ts';
import { boardSwitches } from './model-flags.ts';

export interface BoardArguments extends Readonly<Record<string, unknown>> {
  readonly board: ChipName;
  readonly rdp: 0 | 1 | 2 | undefined;
  readonly boot: BootMode;
  readonly optcr: string | undefined;
  readonly optcr1: string | undefined;
  readonly 'flash-timing': FlashTiming;
  /** Milliseconds. */
  readonly 'nrst-rise': number;
  /** Percent. */
  readonly hsi: number;
  readonly seed: number;
  /** 24 hexadecimal digits. */
  readonly uid: string | undefined;
  readonly strict: boolean;
}

/** A board without supply. @throws BF-USAGE */
export function boardOf(args: BoardArguments): Board {
  if (!(args.hsi >= -8 && args.hsi <= 5)) throw fail('BF-USAGE', '--hsi takes -8 to 5, percent');
  return new Board({
    chip: args.board,
    seed: args.seed,
    ...(args.uid === undefined ? {} : { uid: uidFrom(args.uid) }),
    strict: args.strict,
    boot: args.boot,
    flashTiming: args['flash-timing'],
    hsiDeviation: args.hsi / 100,
    nrstRiseNs: args['nrst-rise'] * 1e6,
    switches: boardSwitches(args),
  });
}

function uidFrom(text: string): Uint8Array {
  if (!/^[0-9a-f]{24}$/i.test(text)) throw fail('BF-USAGE', '--uid takes 24 hexadecimal digits');
  return fromHex(text);
}

/** Sets option bytes as the command line wants them; false when it wants none. @throws BF-USAGE */
export function loadOptions(board: Board, { optcr, optcr1, rdp }: BoardArguments): boolean {
  const { options } = board;
  const words = [hexWord('--optcr', optcr), hexWord('--optcr1', optcr1)] as const;
  if (optcr !== undefined || optcr1 !== undefined) {
    options.load(words[0] ?? options.optcr, words[1] ?? options.optcr1);
  }
  if (rdp !== undefined) options.rdpLevel = rdp;
  return optcr !== undefined || optcr1 !== undefined || rdp !== undefined;
}

function hexWord(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^(0x)?[0-9a-f]{1,8}$/i.test(text)) throw fail('BF-USAGE', `${option} takes up to eight hex digits`);
  return Number.parseInt(text.replace(/^0x/i, ''), 16);
}
