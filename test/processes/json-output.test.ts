// Real commands as processes: every line they print with --json is an event of the table (cli/json-events.ts), with
// exactly its fields. A whole job with the virtual board is among them.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DemoProcess, type Told } from '../../cli/demo/processes.ts';
import { JSON_EVENTS, type JsonSpeaker } from '../../cli/json-events.ts';

const IMAGE = fileURLToPath(new URL('../../examples/bootloader/prebuilt/combined.elf', import.meta.url));
const is = (event: string) => (told: Told) => told['event'] === event;

/** Holds everything an actor told against the events of its command; returns their names. */
function checked(command: string, { told }: DemoProcess): string[] {
  const speakers = Object.values<JsonSpeaker>(JSON_EVENTS);
  const own = speakers.find(({ commands }) => commands.includes(command));
  const events = { ...JSON_EVENTS.everybody.events, ...own?.events };
  return told.map(({ event, ...fields }) => {
    const row = Object.entries(events).find(([name]) => name === event)?.[1];
    assert.ok(row !== undefined, `${command}: ${String(event)}`);
    const { error } = row.fields.safeParse(fields);
    assert.equal(error, undefined, `${command}, ${String(event)}: ${error?.message}`);
    return String(event);
  });
}

describe('what commands print with --json', function () {
  this.timeout(120_000);
  const actors: DemoProcess[] = [];
  let folder: string;

  const start = (...words: string[]): DemoProcess => {
    const actor = new DemoProcess(words[0]!, words, { BLINDFLASH_HOME: join(folder, 'home') });
    actors.push(actor);
    return actor;
  };
  const finish = async (...words: string[]): Promise<DemoProcess> => {
    const actor = start(...words);
    await actor.ended();
    return actor;
  };
  const secret = (): string[] => ['--passphrase-file', join(folder, 'passphrase')];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blindflash-json-'));
    await writeFile(join(folder, 'passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
  });
  after(async () => {
    for (const actor of actors) actor.stop();
    await Promise.all(actors.map((actor) => actor.ended()));
    await rm(folder, { recursive: true, force: true });
  });

  it('is what the table declares, through a whole job', async () => {
    const [sim, relay, keygen] = [
      start('sim', '--tcp', '0', '--uart'),
      start('relay', '--open', '--listen', '127.0.0.1:0'),
      await finish('keygen', ...secret()),
    ];
    const probe = String((await sim.hear(is('ready')))['url']).replace('tcp://', 'tcp:');
    const url = String((await relay.hear(is('listening')))['url']);
    sim.type('reset');
    sim.type('nonsense');
    const doctor = await finish('doctor', '--probe', probe);
    const invite = join(folder, 'invite');
    const vendor = start('flash', IMAGE, '--relay', url, ...secret(), '--invite-out', invite, '--yes', '--no-code');
    await vendor.hear(is('invite'));
    const agent = start('agent', '--probe', probe, '--invite-file', invite);
    agent.type(String((await agent.hear(is('sheet')))['word']));
    await Promise.all([vendor.succeeded(), agent.succeeded()]);

    const heard = checked('flash', vendor);
    for (const event of [
      'plan',
      'invite',
      'hello',
      'job',
      'consent',
      'sealed',
      'erased',
      'sector',
      'written',
      'done',
    ]) {
      assert.ok(heard.includes(event), event);
    }
    assert.equal(checked('agent', agent).at(-1), 'end');
    assert.deepEqual(checked('keygen', keygen), ['keys']);
    assert.ok(checked('doctor', doctor).length > 3);
    assert.deepEqual(checked('relay', relay), ['listening']);
    assert.ok(['control', 'not understood'].every((event) => checked('sim', sim).includes(event)));

    const list = await finish('receipt', 'list');
    assert.deepEqual(checked('receipt list', list), ['list']);
    const [file] = list.told[0]!['receipts'] as string[];
    assert.deepEqual(checked('receipt verify', await finish('receipt', 'verify', file!)), ['receipt']);
    assert.deepEqual(checked('devices list', await finish('devices', 'list')), ['listed']);
    const later = await finish('invite', '--relay', url, ...secret());
    assert.deepEqual(checked('invite', later), ['invite']);
  });

  it('is what the table declares, without a network and when a command fails', async () => {
    assert.deepEqual(checked('plan', await finish('plan', IMAGE)), ['plan']);
    assert.deepEqual(checked('plan', await finish('plan', '/nowhere/image.elf')), ['error']);
    assert.deepEqual(checked('flash', await finish('flash', IMAGE, ...secret(), '--debug')).at(-1), 'error');
  });
});
