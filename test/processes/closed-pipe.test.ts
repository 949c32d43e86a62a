// A command whose reader goes away (docs/product.md): what it has to put in order is put in order, and no status says
// that an unfinished job went well.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * A program that writes lines for ever, with `more` before them; its reader leaves after the first.
 * @returns its status
 */
async function statusAfterReaderLeft(more: string): Promise<number | null> {
  const program = `
    import { surviveClosedPipes, stopWhenNobodyReads } from './cli/terminal/report.ts';
    surviveClosedPipes();
    void stopWhenNobodyReads;
    ${more}
    setInterval(() => process.stdout.write('a line\\n'), 1);`;
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', program], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [status] = (await once(child, 'exit')) as [number | null];
  return status;
}

describe('a pipe whose reader went away', () => {
  it('ends a command that was not done as one that was interrupted', async () => {
    assert.equal(await statusAfterReaderLeft(''), 130);
  });

  it('lets a command that has something to put in order end by itself', async () => {
    assert.equal(await statusAfterReaderLeft('stopWhenNobodyReads(() => process.exit(7));'), 7);
  });

  it('leaves the status of a command that was done', async () => {
    assert.equal(await statusAfterReaderLeft('process.exitCode = 3;'), 3);
  });
});
