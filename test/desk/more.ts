// `npm run test:desk:more -- --instants N --first N`: attacks at more instants than the tests make them at.
import { parseArgs } from 'node:util';
import { everywhere, faults } from './everywhere.ts';

const AT_ONCE = 250;

const { values } = parseArgs({
  options: { instants: { type: 'string', default: '3000' }, first: { type: 'string', default: '1' } },
});
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

let bad = 0;
const totals = new Map<string, number>();
for (let left = Number(values.instants), seed = Number(values.first); left > 0; left -= AT_ONCE, seed++) {
  const findings = everywhere(Math.min(left, AT_ONCE), seed);
  for (const fault of faults(findings)) bad += say(`seed ${seed}: ${fault}`) ? 1 : 0;
  for (const [setting, row] of findings) {
    for (const [attack, { made, words, givenUp }] of row) {
      const add = (what: string, amount: number): unknown =>
        totals.set(`${setting}, ${attack}: ${what}`, (totals.get(`${setting}, ${attack}: ${what}`) ?? 0) + amount);
      add('made', made);
      if (givenUp > 0) add('words of keys that were given up', givenUp);
      for (const [name, count] of words) add(`words of ${name.replace(/ \d+$/, '')}`, count);
    }
  }
}
for (const [name, total] of totals) say(`${name} ${total}`);
say(bad === 0 ? 'nothing was found that must not be' : `${bad} faults`);
process.exitCode = bad === 0 ? 0 : 1;
