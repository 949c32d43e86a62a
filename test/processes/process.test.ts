// The binary as a process: what an operator types, reads and gets back as exit status.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CLOSE } from '../../shared/link/close.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { dialRelay } from '../../shared/platform/node/dial-relay.ts';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const BIN = fileURLToPath(new URL('../../bin/blindflash.mjs', import.meta.url));

function run(...words: string[]) {
  const child = spawn(process.execPath, ['--import=tsx', MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (piece: Buffer) => void (out += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => void (err += piece.toString()));
  const done = once(child, 'close').then(([status]) => ({ status: status as number | null, out, err }));
  return { child, done, out: () => out };
}

describe('blindflash as a process', () => {
  it('serves an open relay on loopback, says where in one line, and stops on a signal with status 0', async () => {
    const relay = run('relay', '--open', '--listen', '127.0.0.1:0', '--json');
    while (!relay.out().includes('\n')) await once(relay.child.stdout, 'data');
    const ready = JSON.parse(relay.out()) as { event: string; url: string };
    assert.equal(ready.event, 'listening');
    const link = await dialRelay(ready.url, systemClock);
    const closed = new Promise<number>((resolve) => (link.onClose = resolve));
    link.onMessage = () => {};
    relay.child.kill('SIGTERM');
    assert.equal(await closed, CLOSE.shutdown.code);
    assert.equal((await relay.done).status, 0);
  });

  it('refuses an open relay for everybody with a code and its exit status', async () => {
    const { status, out, err } = await run('relay', '--open', '--listen', '0.0.0.0:0').done;
    assert.equal(status, 31);
    assert.equal(out, '');
    assert.match(err, /^error BF-RELAY-OPEN: .*\n {2}.*\n→ /);
  });

  it('answers a slip of the finger with a suggestion, not with a stack', async () => {
    const { status, err } = await run('realy').done;
    assert.equal(status, 2);
    assert.match(err, /^error BF-USAGE: [\s\S]*relay[\s\S]*→ /);
    assert.ok(!err.includes('    at '));
  });

  it('ends a command that was given a secret in its words with a sentence that does not hold it', async () => {
    const invite = `bf2.${'Qk'.repeat(40)}_-`;
    const { status, out, err } = await run('agent', '--invite-file', invite).done;
    assert.equal(status, 2);
    assert.match(err, /^error BF-USAGE-SECRET-ARGUMENT: A secret was given on the command line/);
    assert.ok(!`${out}${err}`.includes(invite.slice(4, 20)));
  });

  it('alone says who runs what, with status 0', async () => {
    const { status, out } = await run().done;
    assert.equal(status, 0);
    assert.match(
      out,
      /You have the board on your desk:\n {2}blindflash agent .*[\s\S]*You have the firmware:\n {2}blindflash flash/,
    );
  });

  it('completes commands and options', async () => {
    const { out } = await run('--get-yargs-completions', 'blindflash', 'doctor', '--un').done;
    assert.ok(out.split('\n').includes('--under-reset'), out);
  });

  it('says in a sentence that Node is too old, before it loads anything', async () => {
    const fake = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.4" } })';
    const words = ['--import', `data:text/javascript,${encodeURIComponent(fake)}`, BIN, 'agent'];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let err = '';
    child.stderr.on('data', (piece: Buffer) => void (err += piece.toString()));
    const [status] = (await once(child, 'close')) as [number];
    assert.equal(status, 2);
    assert.match(err, /^Blindflash needs Node\.js 20\.19 or newer; this is 18\.20\.4\. .*https:\/\/nodejs\.org/);
    assert.equal(err.trim().split('\n').length, 1);
  });
});
