// A probe, the boot pins and the supply at instants of a device's life, under every switch of the model
// (docs/loader.md, "Memory"). More instants: `npm run test:desk:more -- --instants N`.
import assert from 'node:assert/strict';
import { everywhere, faults, nothingFound, SETTINGS } from './everywhere.ts';

const INSTANTS = 42;
const SEED = 3;

describe('desk: attached at any instant', function () {
  this.timeout(300_000);
  const findings = nothingFound();
  before(() => everywhere(INSTANTS, SEED, findings));

  it('finds no secret, unless a switch of the model lets it out; then the search finds it', () => {
    assert.deepEqual(faults(findings), []);
  });

  it('was tried with every attack of every row', () => {
    for (const [name, { attacks }] of Object.entries(SETTINGS)) {
      const row = findings.get(name as keyof typeof SETTINGS)!;
      for (const attack of attacks) assert.ok((row.get(attack)?.made ?? 0) > 0, `${name}, ${attack}`);
    }
  });

  it('a probe reaches the core only where the image runs', () => {
    const { made } = findings.get('as documented')!.get('attach')!;
    assert.ok(made > 0 && made < INSTANTS / 2, `${made} of ${INSTANTS}`);
  });
});
