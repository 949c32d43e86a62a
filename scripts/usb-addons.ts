// Writes agent/probe/usb/addon-table.ts, the hashes of the addons that npm `usb` carries: node --import=tsx
// scripts/usb-addons.ts [--check] Run it after `npm ci` with a new version of that package in the lock file, whose hash
// npm has checked. With --check it only compares and exits 1 when the table is another.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PATH = fileURLToPath(new URL('../agent/probe/usb/addon-table.ts', import.meta.url));
const FOLDER = dirname(createRequire(import.meta.url).resolve('usb/package.json'));

function table(): string {
  const { version } = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')) as { version: string };
  const prebuilds = join(FOLDER, 'prebuilds');
  const names = readdirSync(prebuilds, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.node'));
  const rows = names.sort().map((name) => {
    const hash = createHash('sha256').update(readFileSync(join(prebuilds, name)));
    return `  '${name.replaceAll('\\', '/')}': '${hash.digest('hex')}',`;
  });
  return [
    '// The addons in npm `usb`, by SHA-256: what may be loaded into the agent. Written by scripts/usb-addons.ts.',
    `export const USB_VERSION = '${version}';`,
    'export const USB_ADDONS: Readonly<Record<string, string>> = {',
    ...rows,
    '};',
    '',
  ].join('\n');
}

if (process.argv.includes('--check')) {
  if (readFileSync(PATH, 'utf8') !== table()) {
    console.error(
      'agent/probe/usb/addon-table.ts is not that of the installed package: node --import=tsx scripts/usb-addons.ts',
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(PATH, table());
}
