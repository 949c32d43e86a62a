// `npm run test:desk:more -- --instants N --noise SECONDS --sparse N --part P --first N`: attacks at more instants,
// longer noise, cuts at one in N of all boundaries, the core looked at in a part P of the time. 0 leaves one out.
import { parseArgs } from 'node:util';
import { cutEverywhere, RUNS, wrongOrder, type RunName } from './cuts.ts';
import { everywhere, faults, nothingFound } from './everywhere.ts';
import { lineUnderErase } from './line.ts';
import { LATEST_MS, startsUnderNoise } from './noise.ts';
import { known } from './walk.ts';

const AT_ONCE = 100;
const MOST_HELD_NS = 8000;

const { values } = parseArgs({
  options: {
    instants: { type: 'string', default: '3000' },
    noise: { type: 'string', default: '3600' },
    sparse: { type: 'string', default: '1' },
    part: { type: 'string', default: '1' },
    first: { type: 'string', default: '1' },
  },
});
const first = Number(values.first);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Attacks at so many instants. Returns sentences about what must not be. */
function attach(instants: number): string[] {
  const walk = known();
  const findings = nothingFound();
  for (let done = 0; done < instants; done += AT_ONCE) {
    everywhere(Math.min(instants - done, AT_ONCE), first + done, findings, walk);
    const rows = [...findings].flatMap(([setting, row]) =>
      [...row].map(([attack, found]) => ({ setting, attack, found })),
    );
    const made = rows.reduce((sum, { found }) => sum + found.made, 0);
    const documented = rows.filter(({ setting }) => setting === 'as documented');
    const words = documented.flatMap(({ attack, found }) =>
      [...found.words].map(([name, n]) => `${attack}: ${name} ${n}`),
    );
    const givenUp = rows.reduce((sum, { found }) => sum + found.givenUp, 0);
    say(
      `${Math.min(done + AT_ONCE, instants)} instants, ${made} attacks, keys given up ${givenUp}; ${words.join(', ')}`,
    );
  }
  return faults(findings);
}

function noise(seconds: number): string[] {
  const { starts, visits, latestMs } = startsUnderNoise(seconds * 1000, first);
  say(`${seconds} s of noise: ${starts} starts, ${visits} by way of the installer, the latest after ${latestMs} ms`);
  return latestMs <= LATEST_MS ? [] : [`an image started after ${latestMs} ms`];
}

function cuts(sparse: number): string[] {
  return (Object.keys(RUNS) as RunName[]).flatMap((name) => {
    const outcomes = cutEverywhere(name, sparse, first);
    const wrong = name === 'keys are made' ? outcomes.filter((outcome) => outcome !== 'keys') : wrongOrder(outcomes);
    say(`${name}: ${outcomes.length - 1} cuts, ${wrong.length} wrong`);
    return wrong.map((outcome) => `${name}: ${outcome}`);
  });
}

function line(part: number): string[] {
  return [-0.08, 0, 0.05].flatMap((deviation) => {
    const { heldNs, looks, dropped, damaged, right } = lineUnderErase(deviation, part);
    say(
      `clock off by ${deviation}: interrupts held for ${heldNs} ns at most in ${looks} looks, ${dropped} packets lost`,
    );
    return heldNs < MOST_HELD_NS && right && dropped + damaged === 0 ? [] : [`the line, clock off by ${deviation}`];
  });
}

const parts = [
  [attach, values.instants],
  [cuts, values.sparse],
  [noise, values.noise],
  [line, values.part],
] as const;
const wrong = parts.flatMap(([part, amount]) => (Number(amount) === 0 ? [] : part(Number(amount))));
say(wrong.length === 0 ? 'nothing is wrong' : wrong.join('\n'));
process.exitCode = wrong.length === 0 ? 0 : 1;
