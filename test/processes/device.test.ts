// The life of a device as real processes: a loader is made, planted by the probe and locked in; the board is switched
// off and on, enrolled and flashed over its serial line, and flashed once more without anybody touching it.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoJobs, probeOf, requireGood, type ReachedBoard } from '../../cli/demo/jobs.ts';
import { DemoProcess, type Told } from '../../cli/demo/processes.ts';
import { example, isEvent } from '../../cli/demo/telling.ts';

const PRODUCT = 7;
/** Where the image asks for its loader (examples/bootloader/README.md). */
const UPDATE_WORD = '19=0x4f464e49';
const GREETING = 'The example application 1.0 is running';

describe('a device, as processes', function () {
  this.timeout(240_000);
  const actors: DemoProcess[] = [];
  let folder: string;
  const start = (name: string, words: readonly string[], env?: Readonly<Record<string, string>>): DemoProcess => {
    const actor = new DemoProcess(name, words, env);
    actors.push(actor);
    return actor;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blindflash-device-'));
  });
  after(async () => {
    for (const actor of actors) actor.stop();
    await Promise.all(actors.map((actor) => actor.ended()));
    await rm(folder, { recursive: true, force: true });
  });

  it('is planted, locked, enrolled, flashed over its serial line, and updated by an image that hears the knock', async () => {
    const flashFile = join(folder, 'flash');
    const board = start('board', ['sim', '--tcp', '0', '--uart', '--serial', 'rfc2217:0', '--flash', flashFile]);
    const relay = start('relay', ['relay', '--open', '--listen', '127.0.0.1:0']);
    const url = String((await relay.hear(isEvent('listening')))['url']);
    const jobs = new DemoJobs({ folder, relay: url, start, sheetLines: /^$/, tell: () => {} });
    const { sealed } = (await jobs.makeKeys())['public'] as Readonly<Record<string, string>>;

    const loader = join(folder, 'loader.bin');
    const config = ['--key', `sessions=${sealed}`, '--rtc', UPDATE_WORD, '--baud', '115200', '--out', loader];
    const made = await jobs.vendor('loader', 'make', '--product', String(PRODUCT), ...config);
    const planted = ['flash', loader, '--base', '0x08000000', '--lock', 'rdp1'];
    requireGood(await jobs.run(planted, await probeOf(board)));
    board.type('power cycle');

    const line = String((await board.hear(isEvent('serial')))['address']);
    const reached: ReachedBoard = { board, reach: ['--serial', line] };
    const enrolment = ['enroll', '--place', 'bench', '--product', String(PRODUCT)];
    const enrolled = requireGood(await jobs.run(enrolment, reached));
    const { uid, outcome } = await enrolled.vendor.hear(isEvent('enrolled'));
    assert.equal(outcome, 'new');
    const device = await jobs.vendor('devices', 'show', String(uid));
    assert.deepEqual([device['state'], device['mode']], ['active', 'seeded']);
    assert.equal((device['keys'] as Told)['loaderHash'], made['loaderHash']);

    for (const release of [1, 2]) {
      const heard = board.told.length;
      const words = ['--device', String(uid), '--release', String(release)];
      const { vendor, agent } = requireGood(await jobs.run(['flash', example('behind-loader.elf'), ...words], reached));
      await board.hear(({ text }) => text === GREETING, heard);
      const { receipt } = (await vendor.hear(isEvent('done'))) as { receipt?: { text: string } };
      const told = JSON.parse(receipt!.text) as Told;
      assert.deepEqual([told['outcome'], told['mode'], told['uid']], ['written', 'seeded', uid]);
      assert.equal((await agent.hear(isEvent('end')))['board'], 'running');
      assert.ok(!agent.told.some(({ text }) => /forget its keys/.test(String(text))));
    }
    assert.deepEqual(
      board.told.filter(isEvent('control')).map(({ text }) => text),
      ['power cycle'],
    );
  });
});
