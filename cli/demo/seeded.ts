// `blindflash demo --mode seeded`: a loader is planted on a virtual board, which is locked and enrolled; an image goes
// to that device alone over its serial line. A thief with a probe and one with an emulator try; then the customer
// installs an update file by himself (docs/devices.md, docs/update-files.md).
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundledLoader } from '../../controller/service/bundled-loader.ts';
import { bundledStubs } from '../../agent/node/bundled-stubs.ts';
import { concat } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { modeRow } from '../../shared/plan/modes.ts';
import { DemoJobs, probeOf, requireGood, type ReachedBoard } from './jobs.ts';
import { leakScanner, type LeakScanner } from './leak-scan.ts';
import type { DemoProcess, Told } from './processes.ts';
import { openLineTap, openTap, type LineTap, type Tap } from './tap.ts';
import { example, imageOf, isEvent, requireCanary, say, showLines, step, tellFound, type Start } from './telling.ts';
import { answers, seize } from './thief.ts';

const PRODUCT = '7';
/** As the example image asks for its loader (examples/bootloader/README.md). */
const UPDATE_WORD = '19=0x4f464e49';
/** What both ends of the virtual line do without an error on a busy machine, bit/s. */
const BAUD = '115200';
/** Chance of the emulator: another one than the board's. */
const OTHER_SEED = '4711';
/** Of all lines of a sheet those that matter here. */
const SHEET_LINES = /^\s*Trust mode|By serial line|for product|version \d+ of product|Read protection/;
const GREETING = /is running/;

/** What there is on the vendor's table and on the desk. */
interface Stage {
  /** The image as a file, and as bytes. */
  readonly image: string;
  readonly plain: Uint8Array;
  readonly folder: string;
  readonly start: Start;
  readonly relay: DemoProcess;
  readonly relayTap: Tap;
  readonly jobs: DemoJobs;
  readonly board: DemoProcess;
  readonly line: LineTap;
  readonly scanner: LeakScanner;
}

/** Plays it, and tells it on standard output. @throws BF-INTERNAL when something ends otherwise than it should */
export async function playSeeded(folder: string, start: Start): Promise<void> {
  say('Blindflash, mode seeded: a chip with keys of its own, and an image for that chip alone.');
  const stage = await raise(folder, start);
  try {
    const uid = await plantAndEnrol(stage);
    await flash(stage, uid);
    const emulator = await thiefWithEmulator(stage, uid);
    await update(stage, uid, emulator);
    step('What the relay carried, and what went to the board by its serial line, all jobs together');
    requireNothing(tellFound(stage.scanner, 'relay and network', stage.relayTap.carried()));
    const toBoard = stage.line.carried();
    requireNothing(tellFound(stage.scanner, 'serial line', toBoard));
    requireCanary(stage.scanner, stage.plain, toBoard);
    step('What this mode, seeded, is worth');
    const { stops, doesNotStop } = modeRow('seeded');
    for (const line of stops) say(`  stops          ${line}`);
    for (const line of doesNotStop) say(`  does not stop  ${line}`);
  } finally {
    stage.line.close();
    stage.relayTap.close();
  }
}

async function raise(folder: string, start: Start): Promise<Stage> {
  const image = example('behind-loader.elf');
  const { segments } = await imageOf(image, undefined);
  const plain = concat(...segments.map(({ bytes }) => bytes));
  say(`Image: ${image}, ${plain.length} bytes. Everything below runs on this machine; the board is virtual.`);
  const known = concat(...bundledStubs().images, bundledLoader('stm32f42x').image);

  step('The cast');
  const flashFile = join(folder, 'board.flash');
  const board = start('board', [
    'sim',
    '--tcp',
    '0',
    '--uart',
    '--serial',
    'tcp:0',
    '--baud',
    BAUD,
    '--flash',
    flashFile,
  ]);
  const relay = start('relay', ['relay', '--open', '--listen', '127.0.0.1:0']);
  const relayTap = await openTap(String((await relay.hear(isEvent('listening')))['url']));
  const line = await openLineTap(await serialOf(board));
  const { chip, probe } = await board.hear(isEvent('ready'));
  say(`  the desk   ${probe} and a serial adapter with ${chip}; the line is watched by an eavesdropper`);
  say('  relay      watched by an eavesdropper, too');
  const jobs = new DemoJobs({
    folder,
    relay: `ws://127.0.0.1:${relayTap.port}`,
    start,
    sheetLines: SHEET_LINES,
    narrate,
  });
  const scanner = leakScanner(plain, known);
  return { image, plain, folder, start, relay, relayTap, jobs, board, line, scanner };
}

/** Until the device is on record. Returns its UID. */
async function plantAndEnrol({ jobs, folder, board, line }: Stage): Promise<string> {
  step('The vendor makes keys, and the loader of his product: a public program, and public keys');
  const halves = (await jobs.makeKeys())['public'] as Readonly<Record<string, string>>;
  const loader = join(folder, 'loader.bin');
  const keys = ['--key', `sessions=${halves['sealed']}`, `files=${halves['files']}`];
  const config = ['--product', PRODUCT, ...keys, '--rtc', UPDATE_WORD, '--baud', BAUD, '--out', loader];
  const { bytes, loaderHash } = await jobs.vendor('loader', 'make', ...config);
  say(`  ${String(bytes)} bytes, loader hash ${short(loaderHash)}`);

  step('At his bench he plants it by the probe, and locks the chip');
  requireGood(await jobs.run(['flash', loader, '--base', '0x08000000', '--lock', 'rdp1'], await probeOf(board)));

  step('The board is switched off and on: behind the lock the chip makes its keys');
  board.type('power cycle');

  step('It is enrolled over its serial line: the vendor puts its public keys on record');
  const enrol = ['enroll', '--place', 'bench', '--product', PRODUCT];
  const { vendor } = requireGood(await jobs.run(enrol, bySerial(board, line.name)));
  const { uid } = await vendor.hear(isEvent('enrolled'));
  const { keys: recorded } = (await jobs.vendor('devices', 'show', String(uid))) as { keys?: Told };
  say(`  device ${String(uid)}, key ${short(recorded?.['sessionKey'])}`);
  return String(uid);
}

/** The vendor's job, and the thief with a probe at the best instant he can have: all was received, nothing runs yet. */
async function flash(stage: Stage, uid: string): Promise<void> {
  const { jobs, image, board, line } = stage;
  step('The board goes to the customer. The vendor flashes that device, over its serial line, without a probe');
  const reached = bySerial(board, line.name);
  requireGood(await jobs.run([...flashOf(image, uid), '--halt'], reached, () => thiefWithProbe(stage)));

  step('The customer switches his board off and on: the loader starts the image');
  const heard = board.told.length;
  board.type('power cycle');
  await greeting(board, heard);
}

async function thiefWithProbe({ board, scanner }: Stage): Promise<void> {
  step('A thief with a probe has waited for this: all was received, and RAM holds what the loader left in it');
  const selector = (await probeOf(board)).reach[1]!;
  if (!(await answers(selector))) {
    say('  he connects: the chip does not answer, for the loader keeps its debug pins off');
  }
  say('  he connects under reset, and stops the chip at its first instruction:');
  for (const { what, bytes } of await seize(selector)) {
    if (bytes === undefined) say(`  ${what.padEnd(22)} the chip refuses`);
    else requireNothing(tellFound(scanner, what, bytes));
  }
}

/**
 * The public loader on a chip that says it is the device: the vendor's computer asks for the key on record. Returns the
 * emulator, on which the thief tries again.
 */
async function thiefWithEmulator({ jobs, folder, start, image, scanner }: Stage, uid: string): Promise<ReachedBoard> {
  step('A thief with an emulator: the same public loader and config, the same unique id, a level 1 that he says');
  const flashFile = join(folder, 'emulator.flash');
  await copyFile(join(folder, 'loader.bin'), flashFile);
  const as = ['--uid', uid, '--rdp', '1', '--seed', OTHER_SEED];
  const emulator = start('emulator', ['sim', '--tcp', '0', '--serial', 'tcp:0', '--flash', flashFile, ...as]);
  const line = await openLineTap(await serialOf(emulator));
  try {
    const { status, why } = await jobs.run(flashOf(image, uid), bySerial(emulator, line.name));
    if (status === 0) throw fail('BF-INTERNAL', 'an emulator was flashed');
    say(`  vendor: ${why}`);
    say('  what the thief saw, who has every key of his emulator:');
    requireNothing(tellFound(scanner, 'his serial line', line.carried()));
    return bySerial(emulator, await serialOf(emulator));
  } finally {
    line.close();
  }
}

/** A file for the device, in everybody's hands, and no vendor any more. */
async function update(
  { jobs, folder, image, board, line, relay, scanner }: Stage,
  uid: string,
  emulator: ReachedBoard,
) {
  step('Release 2 as a file: the vendor seals it for this device, lays it on a public server, and goes home');
  const file = join(folder, 'release-2.bfu');
  await jobs.signed('package', image, '--to', uid, '--release', '2', '--out', file);
  requireNothing(tellFound(scanner, 'the file', new Uint8Array(await readFile(file))));
  relay.stop();
  await relay.ended();

  step('The relay is off. The customer installs the file: `blindflash update`');
  const heard = board.told.length;
  const { end } = requireGood(await jobs.update(file, bySerial(board, line.name)));
  say(`  version ${String(end?.['versionBefore'])} before, ${String(end?.['version'])} installed`);
  await greeting(board, heard);

  step('The thief has the file, too. On his emulator');
  const { status, why } = await jobs.update(file, emulator);
  if (status === 0) throw fail('BF-INTERNAL', 'an emulator took the file');
  say(`  his screen: ${why}`);
}

function narrate(told: Told): void {
  const { event } = told;
  if (event === 'sealed') say(`  sealed session with chip ${String(told['uid'])}`);
  if (event === 'written') say('  boot words written last; the chip’s digest of everything agrees');
  if (event === 'locked') say('  read protection level 1 is set');
  if (event === 'enrolled') say(`  enrolled, place: ${String(told['place'])}`);
}

const flashOf = (image: string, uid: string): string[] => ['flash', image, '--device', uid, '--release', '1'];
const bySerial = (board: DemoProcess, name: string): ReachedBoard => ({ board, reach: ['--serial', name] });
const short = (digits: unknown): string => `${String(digits).slice(0, 16)}…`;

async function serialOf(board: DemoProcess): Promise<string> {
  return String((await board.hear(isEvent('serial')))['address']);
}

async function greeting(board: DemoProcess, from: number): Promise<void> {
  await board.hear((told) => isEvent('uart')(told) && GREETING.test(String(told['text'])), from);
  const told = board.told.slice(from);
  showLines(told.slice(told.findLastIndex((each) => isEvent('uart')(each) && isPackets(each)) + 1));
}

/** What the loader says on the same line is no text. */
function isPackets({ text }: Told): boolean {
  return [...String(text)].some((letter) => letter < ' ' || letter > '~');
}

function requireNothing(found: number): void {
  if (found > 0) throw fail('BF-INTERNAL', 'the image was seen');
}
