// The switches of the chip's model in a run: what only silicon can answer is drawn from the seed, so that the product
// is tried under every answer (docs/simulation.md).
import { BOARD_ROWS } from '../../cli/sim/model-options.ts';
import { DEFAULT_SWITCHES, type ModelSwitches } from '../../sim/peripherals/model-switches.ts';
import type { Dice } from './dice.ts';

/** A chip that no later option write heals is broken: no job can be asked to end well on it. */
const BROKEN = 'dead';

/** Each switch is as usual in two runs of three. */
export function drawSwitches(dice: Dice): ModelSwitches {
  const drawn = Object.values(BOARD_ROWS).map((row) => {
    const choices: readonly unknown[] = row.choices?.filter((choice) => choice !== BROKEN) ?? [true, false];
    const picked = dice.pick(choices);
    return [row.switch, dice.oneIn(3) ? picked : DEFAULT_SWITCHES[row.switch]] as const;
  });
  return Object.fromEntries(drawn) as unknown as ModelSwitches;
}
