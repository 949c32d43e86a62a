// The addon of npm `usb`: only what the table names is loaded.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listUsbDevices } from '../../../agent/probe/usb/node-usb.ts';
import { requireKnownAddon } from '../../../agent/probe/usb/usb-addon.ts';
import { refuses } from '../shared/support.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;
const PREBUILDS = join(ROOT, 'node_modules/usb/prebuilds');
const ADDONS = readdirSync(PREBUILDS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.node'));

describe('agent: the USB addon', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'blindflash-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is known in each form the installed package has', () => {
    assert.ok(ADDONS.length >= 8);
    for (const name of ADDONS) requireKnownAddon(join(PREBUILDS, name));
  });

  it('is refused with one bit changed, one byte more, or missing', () => {
    const bytes = readFileSync(join(PREBUILDS, ADDONS[0]!));
    const changed = Buffer.from(bytes);
    changed[changed.length >> 1]! ^= 1;
    for (const [name, content] of Object.entries({ changed, longer: Buffer.concat([bytes, Buffer.alloc(1)]) })) {
      writeFileSync(join(folder, name), content);
      refuses('BF-PROBE-ADDON', () => requireKnownAddon(join(folder, name)), name);
    }
    refuses('BF-PROBE-ADDON', () => requireKnownAddon(join(folder, 'missing')));
  });

  it('is not loaded from another place that the environment names', async () => {
    const place = join(folder, 'prebuilds', `${process.platform}-${process.arch}`);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'node.napi.node'), 'planted');
    const before = { ...process.env };
    for (const name of ['USB_PREBUILD', 'NODE_USB_PATH']) {
      process.env[name] = folder;
      try {
        await assert.rejects(
          listUsbDevices(() => true),
          { code: 'BF-PROBE-ADDON' },
          name,
        );
      } finally {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });

  it('table is the one of the installed package', () => {
    execFileSync(process.execPath, ['--import=tsx', join(ROOT, 'scripts/usb-addons.ts'), '--check'], { cwd: ROOT });
  });
});
