// What `doctor --serial` says of a loader (docs/serial-link.md, IDENT).
import assert from 'node:assert/strict';

import type { Finding } from '../../../../agent/target/doctor.ts';
import { examineLoader } from '../../../../agent/target/loader-doctor.ts';
import { silentLog } from '../../../../shared/ports.ts';
import { EventQueue } from '../../../../sim/event-queue.ts';
import { ScriptedLoader } from './scripted-loader.ts';

async function findings(change: (loader: ScriptedLoader) => void = () => {}): Promise<Finding[]> {
  const queue = new EventQueue();
  const loader = new ScriptedLoader(queue, 1);
  change(loader);
  const found: Finding[] = [];
  const round = async (): Promise<void> => {
    for await (const finding of examineLoader(loader, { clock: queue, log: silentLog, limitMs: 2000 })) {
      found.push(finding);
    }
  };
  await queue.drive(round());
  return found;
}

describe('doctor: a loader on a serial port', () => {
  it('is told in words: bit rate, version, hash, chip, lock, image', async () => {
    const found = await findings();
    assert.deepEqual(
      found.map(({ what, verdict }) => `${what} ${verdict}`),
      ['serial good', 'loader good', 'chip good', 'protection good', 'image note'],
    );
    const text = found.map((finding) => finding.text).join('\n');
    assert.match(text, /921600 bit\/s/);
    assert.match(text, /version 2\.0, hash 4c4c4c4c4c4c4c4c…, has no keys yet, can make 7 more, state: waiting/);
    assert.match(text, /STM32F42x.*2048 KiB of flash, unit 0{24}/);
    assert.match(text, /locked \(RDP level 1\)/);
    for (const { verdict, remedy } of found) assert.equal(remedy === undefined, verdict === 'good');
  });

  it('that does not answer is a finding with a remedy', async () => {
    const [only, ...others] = await findings((loader) => (loader.deaf = true));
    assert.deepEqual([only?.code, others.length], ['BF-SERIAL-SILENT', 0]);
    assert.notEqual(only?.remedy, undefined);
  });
});
