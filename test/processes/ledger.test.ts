// Real processes on one ledger: killed at any moment, and several at a time.
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { inviteHashOf } from '../../controller/store/job-record.ts';
import { HomeFixture } from '../fixtures/home.ts';
import { fillOldHome, IDS, RECORDS, requireAll } from '../fixtures/old-home.ts';
import { seededRandom } from '../fixtures/seeded.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/ledger-process.ts', import.meta.url));

describe('processes on one ledger', function () {
  this.timeout(120_000);
  let home: HomeFixture;
  beforeEach(() => (home = new HomeFixture()));
  afterEach(() => home.remove());

  const start = (...words: string[]): ChildProcessWithoutNullStreams =>
    spawn(process.execPath, ['--import=tsx', PROGRAM, home.folder, ...words]);

  it('kill -9 while the files of a home are taken over: the next command has everything', async () => {
    let [killed, through] = [0, false];
    for (let step = 3; !through; step += 11) {
      fillOldHome(home);
      const child = start('take-over', String(step));
      const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
      through = status === 0;
      if (!through) assert.equal(signal, 'SIGKILL');
      killed += Number(!through);
      await requireAll(home, `killed at step ${step}`);
      await home.remove();
      home = new HomeFixture();
    }
    assert.ok(killed >= 5, `${killed} times`);
  });

  it('kill -9 while a job is saved: what was said to be saved is', async () => {
    for (const lines of [1, 25, 60]) {
      const child = start('saves');
      let said = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        said = Number(line);
        if (said >= lines) break;
      }
      child.kill('SIGKILL');
      await once(child, 'close');
      const { tunnels } = (await home.store().load(IDS[0]!)).room.invite;
      assert.ok(tunnels >= said && said >= lines, `${tunnels} saved, ${said} said`);
      await home.closeAll();
    }
  });

  it('several open a new ledger in the same moment: it is made once, and all have it', async () => {
    const children = Array.from({ length: 4 }, () => start('open'));
    const lines = children.map((child) => createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    const next = () => Promise.all(lines.map(async (each) => (await each.next()).value as unknown));
    try {
      assert.deepEqual(await next(), Array<string>(4).fill('ready'));
      for (let round = 0; round < 25; round++) {
        for (const child of children) child.stdin.write(`${round}\n`);
        assert.deepEqual(await next(), Array<string>(4).fill(String(round)));
      }
    } finally {
      for (const child of children) child.kill();
      await Promise.all(children.map((child) => child.exitCode ?? once(child, 'close')));
    }
  });

  it('two take invites at the same time: each goes to one of them', async () => {
    const store = home.store();
    const dice = seededRandom(9);
    const rooms = Array.from({ length: 40 }, () => ({
      ...RECORDS[0]!.room,
      holderSeed: dice.bytes(32),
      agentTicket: dice.bytes(40),
    }));
    for (const room of rooms) await store.saveInvite(room);
    const hashes = rooms.map((room) => Buffer.from(inviteHashOf(room)).toString('hex'));
    assert.equal(new Set(hashes).size, rooms.length);
    const got: string[] = [];
    const children = [start('invites'), start('invites')];
    for (const child of children) {
      createInterface({ input: child.stdout }).on('line', (line) => void got.push(line));
      child.stdin.end(hashes.join('\n'));
    }
    const statuses = await Promise.all(children.map(async (child) => ((await once(child, 'close')) as [number])[0]));
    assert.deepEqual(statuses, [0, 0]);
    assert.deepEqual(got.sort(), hashes.sort());
  });
});
