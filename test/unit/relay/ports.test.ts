// What a relay relies on in its ports, held against each implementation: the neighbours it asks
// and the operator's control.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBlindflashError } from '../../../shared/errors/errors.ts';
import type { Control } from '../../../relay/control/control.ts';
import { FileControl } from '../../../relay/control/file.ts';
import { everyTenant } from '../../../relay/core/tenants.ts';
import type { Neighbours } from '../../../relay/neighbours/neighbours.ts';
import { noNeighbours } from '../../../relay/neighbours/none.ts';
import { fixedControl } from '../../../relay/control/fixed.ts';
import { changeableControl, keyPair } from './support.ts';

const NEIGHBOURS: readonly [string, () => Neighbours][] = [['none', () => noNeighbours]];

for (const [name, make] of NEIGHBOURS) {
  describe(`neighbours: ${name}`, () => {
    it('answer here or elsewhere, alike for the same question, for either side', async () => {
      const neighbours = make();
      for (const side of ['agent', 'controller'] as const) {
        const answers = [await neighbours.ask('ab'.repeat(48), side), await neighbours.ask('ab'.repeat(48), side)];
        assert.ok(answers[0] === 'here' || answers[0] === 'elsewhere');
        assert.equal(answers[1], answers[0]);
      }
    });
  });
}

describe('neighbours: none', () => {
  it('answer at once, so that a relay that is alone makes nobody wait', () => {
    assert.equal(noNeighbours.ask('00', 'agent'), 'here');
  });
});

/** A control that knows tenant 1, and how its operator puts tenant 2 in place of it; undefined where he cannot. */
interface ControlCase {
  readonly control: Control;
  readonly change: (() => Promise<void>) | undefined;
}

const [one, two] = [keyPair(1).publicKey, keyPair(2).publicKey];
const tenantsOf = (key: Uint8Array): string =>
  JSON.stringify([{ name: 'acme', key: Buffer.from(key).toString('hex') }]);
const only = (wanted: Uint8Array) => (key: Uint8Array) =>
  Buffer.compare(key, wanted) === 0 ? everyTenant(key) : undefined;

describe('control', () => {
  let folder: string;
  before(async () => void (folder = await mkdtemp(join(tmpdir(), 'blindflash-control-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  const CASES: Readonly<Record<string, () => Promise<ControlCase>>> = {
    fixed: async () => ({ control: fixedControl(only(one)), change: undefined }),
    'of the tests': async () => {
      const control = changeableControl(only(one));
      return { control, change: async () => control.set(only(two)) };
    },
    file: async () => {
      const path = join(folder, 'tenants.json');
      await writeFile(path, tenantsOf(one));
      const control = await FileControl.open(path);
      return {
        control,
        change: async () => {
          await writeFile(path, tenantsOf(two));
          await control.reload();
        },
      };
    },
  };

  for (const [name, make] of Object.entries(CASES)) {
    it(`${name}: knows its tenants, and tells of a change once, when the new ones hold`, async () => {
      const { control, change } = await make();
      const heard: boolean[] = [];
      control.onChange = () => void heard.push(control.decisions.findTenant(two) !== undefined);
      assert.ok(control.decisions.findTenant(one));
      assert.equal(control.decisions.findTenant(two), undefined);
      await change?.();
      assert.deepEqual(heard, change === undefined ? [] : [true]);
      assert.equal(control.decisions.findTenant(one) === undefined, change !== undefined);
    });
  }

  it('file: goes on with what held when the file is broken or gone, and says why', async () => {
    const path = join(folder, 'broken.json');
    await writeFile(path, tenantsOf(one));
    const control = await FileControl.open(path);
    control.onChange = () => assert.fail('nothing has changed');
    const refused = (error: unknown): boolean => isBlindflashError(error, 'BF-RELAY-CONFIG');
    await writeFile(path, `${tenantsOf(two)}]`);
    await assert.rejects(control.reload(), refused);
    await rm(path);
    await assert.rejects(control.reload(), refused);
    assert.ok(control.decisions.findTenant(one));
  });
});
