// `blindflash demo [IMAGE]`: relay, virtual board, agent and controller as processes of their own on this machine; a
// real image goes in encrypted all the way, boots and greets. Design: docs/product.md §4.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { concat } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { DEFAULT_MODE, LOCK_TEXTS, modeRow } from '../../shared/plan/modes.ts';
import { bundledStubs } from '../../agent/node/bundled-stubs.ts';
import { leakScanner } from './leak-scan.ts';
import { DemoProcess, type Told } from './processes.ts';
import { playProtected } from './protected.ts';
import { playSeeded } from './seeded.ts';
import { openTap } from './tap.ts';
import { example, imageOf, isEvent, listen, requireCanary, say, step, tellFound, type Start } from './telling.ts';

interface DemoArguments {
  readonly image?: string | undefined;
  readonly base?: string | undefined;
  readonly chipState?: string | undefined;
  readonly mode?: string | undefined;
}

/** Plays the whole job and tells it on standard output. */
export async function runDemo(args: DemoArguments): Promise<void> {
  if (args.mode === 'seeded' && (args.image !== undefined || args.chipState === 'rdp1')) {
    throw fail('BF-USAGE', '--mode seeded plays with its own image and board');
  }
  const started = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'blindflash-demo-'));
  const processes: DemoProcess[] = [];
  const start = (name: string, words: readonly string[], env?: Readonly<Record<string, string>>): DemoProcess => {
    const child = new DemoProcess(name, words, env);
    processes.push(child);
    return child;
  };
  try {
    if (args.mode === 'seeded') {
      await playSeeded(folder, start);
    } else if (args.chipState === 'rdp1') {
      await playProtected(args.image ?? example('combined.elf'), args.base, folder, start);
    } else {
      await play(args, folder, start);
    }
    say(`\nThe whole demo took ${((performance.now() - started) / 1000).toFixed(1)} s.`);
  } finally {
    for (const each of processes) each.stop();
    await Promise.all(processes.map((each) => each.ended()));
    await rm(folder, { recursive: true, force: true });
  }
}

async function play(args: DemoArguments, folder: string, start: Start): Promise<void> {
  const imagePath = args.image ?? example('combined.elf');
  const plain = concat(...(await imageOf(imagePath, args.base)).segments.map(({ bytes }) => bytes));
  say('Blindflash: flash the chip on someone else’s desk without showing them the firmware.');
  say(`Image: ${imagePath}, ${plain.length} bytes. Everything below runs on this machine; the board is virtual.`);

  step('The cast');
  const capture = join(folder, 'usb-and-swd.capture');
  const board = start('board', ['sim', '--tcp', '0', '--uart', '--capture', capture]);
  const relay = start('relay', ['relay', '--open', '--listen', '127.0.0.1:0']);
  const [boardReady, relayReady] = await Promise.all([board.hear(isEvent('ready')), relay.hear(isEvent('listening'))]);
  const tap = await openTap(String(relayReady['url']));
  say(
    `  customer’s desk   ${boardReady['probe']} (${boardReady['firmware']}) with ${boardReady['chip']} on ${boardReady['url']}`,
  );
  say(`  relay             ${relayReady['url']}, watched by an eavesdropper`);

  const { vendor, agent } = await bringTogether(
    folder,
    imagePath,
    args.base,
    tap.port,
    String(boardReady['url']),
    start,
  );
  await Promise.all([vendor.succeeded(), agent.succeeded()]);
  const done = await vendor.hear(isEvent('done'));

  step('The board was reset and runs the image. Now a power cycle, as the customer would');
  const heard = board.told.length;
  board.type('power cycle');
  await listen(board, heard);

  step('The receipt, signed by the vendor');
  await showReceipt(folder, done, start);

  step('What relay, USB and SWD carried');
  tap.close();
  board.stop();
  await board.ended();
  reportLeaks(plain, tap.carried(), new Uint8Array(await readFile(capture)));

  step('What this mode, host-blind, is worth');
  for (const line of modeRow(DEFAULT_MODE).stops) say(`  stops          ${line}`);
  for (const line of modeRow(DEFAULT_MODE).doesNotStop) say(`  does not stop  ${line}`);
  say(`  ${LOCK_TEXTS.none}`);
}

/** Keys, invite, agent, code: until both sides are at work. */
async function bringTogether(
  folder: string,
  image: string,
  base: string | undefined,
  relayPort: number,
  probe: string,
  start: Start,
) {
  const passphrase = join(folder, 'passphrase');
  const invite = join(folder, 'invite');
  await writeFile(passphrase, `${randomBytes(18).toString('base64')}\n`, { mode: 0o600 });
  const vendorHome = { BLINDFLASH_HOME: join(folder, 'vendor') };
  const customerHome = { BLINDFLASH_HOME: join(folder, 'customer') };

  step('The vendor makes keys, then asks for the job');
  await start('keygen', ['keygen', '--passphrase-file', passphrase], vendorHome).succeeded();
  const words = ['flash', image, '--relay', `ws://127.0.0.1:${relayPort}`, '--passphrase-file', passphrase];
  const options = [
    '--invite-out',
    invite,
    '--label',
    'Board 7 on your desk',
    '--yes',
    ...(base ? ['--base', base] : []),
  ];
  const vendor = start('controller', [...words, ...options], vendorHome);
  vendor.onTold = narrateVendor;
  await vendor.hear(isEvent('invite'));
  say('  an invite for the customer lies ready (a file here; a mail in life)');

  step('The customer pastes the invite; his screen shows a code');
  const agent = start(
    'agent',
    ['agent', '--probe', probe.replace(/^tcp:\/\//, 'tcp:'), '--invite-file', invite],
    customerHome,
  );
  const [{ code }] = await Promise.all([agent.hear(isEvent('code')), vendor.hear(isEvent('code'))]);
  step(`He reads it out: ${String(code)}. The vendor, who has not seen it, types what he hears`);
  vendor.type(String(code));
  const sheet = await agent.hear(isEvent('sheet'));
  for (const line of sheet['lines'] as readonly string[]) say(`  │ ${line}`);
  step(`The vendor says that the code was right. The customer types the word of this sheet: ${String(sheet['word'])}`);
  agent.type(String(sheet['word']));
  return { vendor, agent };
}

function narrateVendor(told: Told): void {
  const { event } = told;
  if (event === 'sealed') say(`  sealed session with chip ${told['uid']}`);
  if (event === 'erased') say(`  sector ${told['sector']} erased`);
  if (event === 'sector') say(`  sector ${told['sector']} written; its digest agrees`);
  if (event === 'written') say('  boot words written last; the chip’s digest of everything agrees');
}

async function showReceipt(folder: string, done: Told, start: Start): Promise<void> {
  const receipt = done['receipt'] as { text?: string; signature?: string } | undefined;
  if (receipt?.text === undefined) throw fail('BF-INTERNAL', 'the controller told no receipt');
  const fields = JSON.parse(receipt.text) as Told;
  for (const name of ['outcome', 'job', 'uid', 'imageDigest', 'wordsProgrammed', 'sealedAt', 'statement']) {
    say(`  ${name.padEnd(16)} ${String(fields[name])}`);
  }
  const list = start('receipts', ['receipt', 'list'], { BLINDFLASH_HOME: join(folder, 'vendor') });
  const files = (await list.hear(isEvent('list')))['receipts'] as readonly string[];
  const check = start('receipt', ['receipt', 'verify', files[0] ?? ''], { BLINDFLASH_HOME: join(folder, 'vendor') });
  await check.succeeded();
  say('  `blindflash receipt verify`: the signature is right');
}

/** Scans the captures for the image, and for a canary to show that the scan can find something. */
function reportLeaks(image: Uint8Array, relay: Uint8Array, wires: Uint8Array): void {
  const scanner = leakScanner(image, concat(...bundledStubs().images));
  const found = [tellFound(scanner, 'relay and network', relay), tellFound(scanner, 'USB and SWD', wires)];
  if (scanner.shared > 0) {
    say(
      `  (${scanner.shared} more runs of the image also occur in the public stub, which travels in clear, and are not counted)`,
    );
  }
  requireCanary(scanner, image, relay);
  if (found.some((count) => count > 0)) throw fail('BF-INTERNAL', 'the image was seen on the way');
}
