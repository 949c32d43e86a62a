// A vendor who names a part that cannot make a key hears so at once (docs/reference/stm32f4.md §1.4).
import assert from 'node:assert/strict';
import { VendorTerminal } from '../../../cli/vendor/vendor-terminal.ts';
import { runPlan } from '../../../cli/vendor/plan.ts';
import { chipNamed } from '../../../cli/vendor/options.ts';
import { requireRandom } from '../../../controller/job/checks.ts';
import { CHIPS } from '../../../shared/chips/index.ts';

describe('controller: parts without a random generator', () => {
  it('are refused for every kind that needs a key, and not for the others; the rest of the family is not', () => {
    for (const chip of CHIPS) {
      for (const kind of ['flash', 'verify', 'erase'] as const) {
        if (chip.random) requireRandom(kind, chip);
        else assert.throws(() => requireRandom(kind, chip), { code: 'BF-TARGET-NO-RANDOM' });
      }
    }
    for (const kind of ['info', 'reset'] as const) requireRandom(kind, chipNamed('stm32f411re'));
  });

  it('are named by their marking, the letter of the package included or not', () => {
    const named = (name: string): number => chipNamed(name).devId;
    assert.deepEqual(['stm32f401rb', 'STM32F401xC', 'stm32f401ceu6'].map(named), [0x423, 0x423, 0x433]);
    assert.deepEqual(
      ['stm32f407', 'stm32f407vgt6', 'stm32f427zi', 'stm32f479'].map(named),
      [0x413, 0x413, 0x419, 0x434],
    );
    for (const name of ['stm32f401', 'stm32f412', 'stm32']) assert.throws(() => chipNamed(name), { code: 'BF-USAGE' });
  });

  it('are refused in the dry run as well, before the image is read', async () => {
    const args = { image: ['/nowhere/image.elf'], chip: 'stm32f411re' };
    await assert.rejects(runPlan(args), { code: 'BF-TARGET-NO-RANDOM' });
  });

  it('are refused before keys are asked for, and so before there is an invite', async () => {
    const terminal = new VendorTerminal({ keys: '/nowhere/keys.json' });
    const plan = (): never => assert.fail('no plan is made');
    const request = {
      kind: 'flash',
      image: undefined,
      chip: chipNamed('stm32f411re'),
      plan,
      fixedSize: false,
    } as const;
    await assert.rejects(terminal.run(request), { code: 'BF-TARGET-NO-RANDOM' }).finally(() => terminal.close());
  });
});
