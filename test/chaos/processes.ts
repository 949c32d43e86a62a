// `npm run test:chaos:processes`: real processes over real sockets, killed with -9 at several points of a job: the
// customer's agent, the vendor's controller, the relay. The job goes on each time and ends with its receipt
// (docs/protocol.md §11).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DemoProcess, Told } from '../../cli/demo/processes.ts';

const LIMIT_MS = 150_000;
const IMAGE_BYTES = 300_000;

type Victim = 'agent' | 'controller' | 'relay';
interface Round {
  readonly name: string;
  /**
   * One after the other: kill `victim` when the vendor's process has said `event` so many times since the last kill.
   */
  readonly kills: readonly { readonly event: string; readonly times: number; readonly victim: Victim }[];
  /** Sectors written before the controller died must not be written again. */
  readonly mustSkip: boolean;
  /**
   * How often the vendor is asked for the code, at most: a process that dies is no reason to,
   * once the chip is on record.
   */
  readonly questions: number;
}

const ROUNDS: readonly Round[] = [
  {
    name: 'before anything is written',
    kills: [
      { event: 'code', times: 1, victim: 'controller' },
      { event: 'sealed', times: 1, victim: 'relay' },
      { event: 'erased', times: 1, victim: 'agent' },
    ],
    mustSkip: false,
    questions: 2,
  },
  {
    name: 'in the middle',
    kills: [
      { event: 'erased', times: 1, victim: 'agent' },
      { event: 'sector', times: 3, victim: 'controller' },
      { event: 'sector', times: 1, victim: 'relay' },
    ],
    mustSkip: true,
    questions: 1,
  },
  {
    name: 'near the end',
    kills: [
      { event: 'sector', times: 3, victim: 'relay' },
      { event: 'sector', times: 1, victim: 'agent' },
      { event: 'sector', times: 1, victim: 'controller' },
    ],
    mustSkip: true,
    questions: 1,
  },
];
const started = performance.now();
const say = (text: string): void =>
  void process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);

// The cast starts our binary again by the name of this process: from its sources here.
process.argv[1] = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const { DemoProcess: DemoProcessClass } = await import('../../cli/demo/processes.ts');

const is =
  (event: string) =>
  (told: Told): boolean =>
    told['event'] === event;

class Cast {
  readonly folder: string;
  readonly actors: DemoProcess[] = [];
  constructor(folder: string) {
    this.folder = folder;
  }

  start(name: string, words: readonly string[], home = name): DemoProcess {
    const actor = new DemoProcessClass(name, words, { BLINDFLASH_HOME: join(this.folder, home) });
    this.actors.push(actor);
    return actor;
  }

  kill(actor: DemoProcess): Promise<number> {
    say(`kill -9 ${actor.name}`);
    process.kill(actor.pid, 'SIGKILL');
    return actor.ended();
  }
}

/** A vector table that starts, an endless loop, and noise. */
function image(): Uint8Array {
  const bytes = new Uint8Array(randomBytes(IMAGE_BYTES));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x20030000, true);
  view.setUint32(4, 0x08000041, true);
  bytes.set([0xfe, 0xe7], 0x40);
  return bytes;
}

async function play(cast: Cast, round: Round): Promise<void> {
  const file = (name: string): string => join(cast.folder, name);
  await writeFile(file('image.bin'), image());
  await writeFile(file('passphrase'), `${randomBytes(18).toString('base64')}\n`, { mode: 0o600 });
  const secret = ['--passphrase-file', file('passphrase')];
  const board = cast.start('board', ['sim', '--tcp', '0']);
  let relay = cast.start('relay', ['relay', '--open', '--listen', '127.0.0.1:0']);
  await cast.start('keygen', ['keygen', ...secret], 'vendor').succeeded();
  const [ready, listening] = await Promise.all([board.hear(is('ready')), relay.hear(is('listening'))]);
  const url = String(listening['url']);
  const probe = `tcp:${String(ready['host'])}:${String(ready['port'])}`;
  const flash = [
    'flash',
    file('image.bin'),
    '--base',
    '0x08000000',
    '--relay',
    url,
    ...secret,
    '--invite-out',
    file('invite'),
    '--yes',
  ];

  let vendor = cast.start('controller', flash, 'vendor');
  const plan = await vendor.hear(is('plan'));
  await vendor.hear(is('invite'));
  const newAgent = (): DemoProcess => {
    const next = cast.start('agent', ['agent', '--probe', probe, '--invite-file', file('invite')]);
    next.onTold = (told) => {
      if (is('sheet')(told)) next.type(String(told['word']));
    };
    return next;
  };
  let agent = newAgent();
  const typed = new Set<unknown>();
  let questions = 0;
  const answerCodes = (asker: DemoProcess): void => {
    asker.onTold = (told) => {
      if (!is('code')(told)) return;
      questions++;
      // An agent that dies meanwhile shows none: then this question is void, too.
      agent
        .hear((line) => is('code')(line) && !typed.has(line['code']))
        .then(
          ({ code }) => {
            typed.add(code);
            asker.type(String(code));
          },
          () => {},
        );
    };
  };
  answerCodes(vendor);
  await vendor.hear(is('code'));

  let from = 0;
  const again: Readonly<Record<Victim, () => Promise<void>>> = {
    agent: async () => {
      await cast.kill(agent);
      agent = newAgent();
    },
    controller: async () => {
      await cast.kill(vendor);
      vendor = cast.start('controller', [...flash, '--resume', String(plan['job'])], 'vendor');
      from = 0;
      answerCodes(vendor);
    },
    relay: async () => {
      await cast.kill(relay);
      relay = cast.start('relay', ['relay', '--open', '--listen', new URL(url).host]);
    },
  };
  for (const { event, times, victim } of round.kills) {
    from = await heard(vendor, event, times, from);
    await again[victim]();
  }
  await Promise.all([vendor.succeeded(), agent.succeeded()]);
  const done = await vendor.hear(is('done'));
  const receipt = JSON.parse((done['receipt'] as { text: string }).text) as Told;
  assert.equal(receipt['outcome'], 'written');
  const skipped = vendor.told.filter((told) => is('sector')(told) && told['skipped'] === true).length;
  say(`done: receipt for ${String(receipt['uid'])}; ${skipped} sectors not written again after the controller's death`);
  assert.ok(questions <= round.questions, `the vendor was asked for the code ${questions} times`);
  assert.ok(skipped > 0 || !round.mustSkip, 'good sectors were written again');
}

/** Waits until `actor` has said `event` so many times after its line `from`; returns where to look on. */
async function heard(actor: DemoProcess, event: string, times: number, from: number): Promise<number> {
  let next = from;
  for (let seen = 0; seen < times; seen++) {
    const told = await actor.hear(is(event), next);
    next = actor.told.indexOf(told) + 1;
    say(
      `${event}${told['sector'] === undefined ? '' : ` ${String(told['sector'])}`}${told['skipped'] === true ? ', was there already' : ''}`,
    );
  }
  return next;
}

for (const round of ROUNDS) {
  say(round.name);
  const cast = new Cast(await mkdtemp(join(tmpdir(), 'blindflash-chaos-')));
  const limit = setTimeout(() => {
    for (const { name, told } of cast.actors) say(`${name}: ${JSON.stringify(told.slice(-3))}`);
    say('hang');
    for (const actor of cast.actors) actor.stop();
    process.exit(1);
  }, LIMIT_MS);
  try {
    await play(cast, round);
    say('three processes killed, one receipt');
  } finally {
    clearTimeout(limit);
    for (const actor of cast.actors) actor.stop();
    await Promise.all(cast.actors.map((actor) => actor.ended()));
    await rm(cast.folder, { recursive: true, force: true });
  }
}
process.stdout.write(`${ROUNDS.length} passed, 0 failed\n`);
