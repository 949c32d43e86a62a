// A choice that looks like a number is taken as it is written, as the example of the command has it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('the command line', () => {
  it('takes the brown-out level of its example: what is missing then is the keys', () => {
    const home = mkdtempSync(join(tmpdir(), 'blindflash-choices-'));
    try {
      const words = ['options', '--brown-out', '3', '--protect', '0-1', '--relay', 'ws://127.0.0.1:9', '--home', home];
      const { status, stderr } = spawnSync(process.execPath, ['--import=tsx', 'cli/main.ts', ...words], {
        cwd: new URL('../..', import.meta.url),
        encoding: 'utf8',
      });
      assert.equal(status, 22, stderr);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
