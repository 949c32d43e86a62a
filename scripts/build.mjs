// Compiles the TypeScript sources to dist/. Without the compiler (a production install) there is nothing to do:
// the package already carries dist/.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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
process.exit(status ?? 1);
