// Compiles the TypeScript sources to dist/, and writes the manual page there. Without the compiler (a production
// install) there is nothing to do: the package already carries dist/.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
let tsc;
try {
  tsc = require.resolve('typescript/bin/tsc');
} catch {
  if (!existsSync(new URL('../dist', import.meta.url))) {
    console.error('blindflash: dist/ is missing and typescript is not installed; run `npm ci` first');
    process.exit(1);
  }
  process.exit(0);
}
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
const [{ COMMANDS }, { manPage }] = await Promise.all([
  import('../dist/cli/commands.js'),
  import('../dist/cli/man-page.js'),
]);
writeFileSync(new URL('../dist/blindflash.1', import.meta.url), manPage(COMMANDS));
