// `npm run demo` and `npm test` on a fresh clone: installs the dependencies when they are missing, then runs the job.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const [job, ...rest] = process.argv.slice(2);
const run = (command, args) => {
  const { status, signal } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0 || signal) process.exit(status ?? 1);
};
if (!existsSync('node_modules/tweetnacl') || !existsSync('node_modules/typescript')) {
  console.log('Installing what is missing (once) …');
  run('npm', ['ci', '--no-audit', '--no-fund']);
}
if (job === 'demo') {
  if (!existsSync('dist/cli/main.js')) run('npm', ['run', '--silent', 'build']);
  run(process.execPath, ['bin/blindflash.mjs', 'demo', ...rest]);
} else {
  run(process.execPath, ['node_modules/mocha/bin/mocha.js', ...rest]);
}
