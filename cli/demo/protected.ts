// `blindflash demo --chip-state rdp1`: a board somebody has locked and write-protected. It is refused, unlocked, and
// flashed with its write protection lifted, by processes of their own on this machine (docs/product.md §4).
import { fail } from '../../shared/errors/errors.ts';
import { DemoJobs, probeOf, requireGood } from './jobs.ts';
import type { DemoProcess } from './processes.ts';
import { isEvent, say, step, type Start } from './telling.ts';

/** FLASH_OPTCR (RM0090 §3.9.10): read protection level 1, and level 0 with sectors 0 and 1 write-protected. */
const OPTCR = { locked: '0x0fff55ec', protected: '0x0ffcaaec' } as const;

/** Plays it, and tells it on standard output. @throws BF-INTERNAL when a process ends otherwise than it should */
export async function playProtected(image: string, base: string | undefined, folder: string, start: Start) {
  step('A board that somebody has locked, read protection level 1, and one with two write-protected sectors');
  const boards = [OPTCR.locked, OPTCR.protected].map((optcr) =>
    start('board', ['sim', '--tcp', '0', '--optcr', optcr]),
  );
  const [locked, guarded] = boards as [DemoProcess, DemoProcess];
  const relay = start('relay', ['relay', '--open', '--listen', '127.0.0.1:0']);
  const jobs = new DemoJobs({
    folder,
    relay: String((await relay.hear(isEvent('listening')))['url']),
    start,
    sheetLines: /protect/i,
  });
  await jobs.makeKeys();
  const flash = ['flash', image, ...(base === undefined ? [] : ['--base', base])];

  step('The vendor asks for the job. Nothing is erased: the locked board is refused');
  const refused = await jobs.run(flash, await probeOf(locked));
  if (refused.status === 0) throw fail('BF-INTERNAL', 'a locked board was not refused');
  say(`  ${refused.why}`);

  step('`blindflash unlock`: the customer types a word, the chip erases itself, and is switched off and on');
  requireGood(await jobs.run(['unlock'], await probeOf(locked)));

  step('The other board, `blindflash flash --lift-write-protection`: the protection is put back afterwards');
  requireGood(await jobs.run([...flash, '--lift-write-protection'], await probeOf(guarded)));
  say('  written; the receipt is stored on both sides');
}
