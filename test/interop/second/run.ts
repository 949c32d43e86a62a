// `npm run test:second`: the implementation made from the pages of docs/ alone (Python, this folder) against itself and
// against the real programs, as controller, agent with an emulated chip or at a serial line, relay, and loader. Needs
// Debian's python3-nacl and python3-websockets.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledStubs } from '../../../agent/node/bundled-stubs.ts';
import type { DemoProcess } from '../../../cli/demo/processes.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { devices } from './devices.ts';
import { event, programPath, PYTHON, Programs } from './programs-fixture.ts';
import { updateFiles } from './update-files.ts';

const programs = new Programs();
const { folder } = programs;
const check: Programs['check'] = (...words) => programs.check(...words);
const real: Programs['real'] = (...words) => programs.real(...words);
const second: Programs['second'] = (...words) => programs.second(...words);

/** 1,500 words nobody else has, with a table of vectors that a chip may start from. */
const image = new Uint8Array(6000).map((_, at) => (at * 73 + (at >> 8) * 31) & 255);
new DataView(image.buffer).setUint32(0, 0x20020000, true);
new DataView(image.buffer).setUint32(4, 0x08000201, true);
const imagePath = join(folder, 'image.bin');
writeFileSync(imagePath, image);

async function realRelay(): Promise<string> {
  const relay = real('relay', ['relay', '--open', '--listen', '127.0.0.1:0'], 'relay');
  return String((await relay.hear(event('listening')))['url']);
}

async function realBoard(): Promise<string> {
  const board = real('board', ['sim', '--tcp', '0'], 'board');
  return String((await board.hear(event('ready')))['url']).replace('tcp://', 'tcp:');
}

async function secondController(relay: string): Promise<void> {
  const invite = join(folder, 'invite-second');
  const words = ['flash', '--state', join(folder, 'job'), '--keys', join(folder, 'keys'), '--relay', relay];
  const controller = second('controller.py', [
    ...words,
    '--image',
    imagePath,
    '--invite-out',
    invite,
    '--allow-stub',
    'any',
  ]);
  await controller.hear(event('invite'));
  const { agent, code } = await programs.realAgent(['--probe', await realBoard()], invite, 'customer-1');
  await controller.hear(event('code-asked'));
  controller.type(code);
  const receipt = await controller.hear(event('receipt'));
  const ends = await Promise.all([controller.ended(), agent.ended()]);
  const why = `${controller.lastWords} / ${agent.lastWords}`;
  check('their controller, our relay, agent, stub and board: a receipt, and both end well', ends.join() === '0,0', why);
  check('… whose receipt our agent has checked', receipt['event'] === 'receipt' && ends[1] === 0);
}

/** Our controller with keys of its own; answers the question for the code with what `codeOf` resolves to. */
async function realController(
  relay: string,
  home: string,
  options: readonly string[] = [],
): Promise<{ vendor: DemoProcess; invite: string }> {
  await real('keygen', ['keygen', '--no-passphrase'], home).succeeded();
  const invite = join(folder, `invite-${home}`);
  const words = [
    'flash',
    imagePath,
    '--base',
    '0x08000000',
    '--relay',
    relay,
    '--invite-out',
    invite,
    '--yes',
    ...options,
  ];
  const vendor = real('controller', words, home);
  await vendor.hear(event('invite'));
  return { vendor, invite };
}

async function secondAgent(relay: string): Promise<void> {
  const { vendor, invite } = await realController(relay, 'vendor-1');
  const flash = join(folder, 'flash.bin');
  const hash = toHex(bundledStubs().forChip(0x419).hash);
  const agent = second('agent.py', [invite, '--consent', 'yes', '--stub-hash', hash, '--flash-out', flash]);
  const code = String((await agent.hear(event('code')))['code']);
  await vendor.hear(event('code'));
  vendor.type(code);
  const ends = await Promise.all([vendor.ended(), agent.ended()]);
  check(
    'our controller and relay, their agent and emulated chip',
    ends.join() === '0,0',
    `${vendor.lastWords} / ${agent.lastWords}`,
  );
  const written = new Uint8Array(readFileSync(flash)).subarray(0, image.length);
  check('… and the emulated flash holds the image', Buffer.compare(written, image) === 0);
}

async function secondRelay(): Promise<void> {
  await real('keygen', ['keygen', '--no-passphrase'], 'vendor-2').succeeded();
  const keys = JSON.parse(readFileSync(join(folder, 'vendor-2', 'keys.json'), 'utf8')) as {
    public: { tenant: string };
  };
  const relay = second('relay.py', ['--tenant', keys.public.tenant]);
  const url = `ws://127.0.0.1:${String((await relay.hear(event('listening')))['port'])}`;
  const invite = join(folder, 'invite-3');
  const words = ['flash', imagePath, '--base', '0x08000000', '--relay', url, '--invite-out', invite, '--yes'];
  const vendor = real('controller', words, 'vendor-2');
  await vendor.hear(event('invite'));
  const { agent, code } = await programs.realAgent(['--probe', await realBoard()], invite, 'customer-2');
  await vendor.hear(event('code'));
  vendor.type(code);
  const ends = await Promise.all([vendor.ended(), agent.ended()]);
  check('their relay, everything else ours', ends.join() === '0,0', `${vendor.lastWords} / ${agent.lastWords}`);
}

function itself(): void {
  try {
    const vectors = fileURLToPath(new URL('../../vectors/protocol.json', import.meta.url));
    execFileSync(PYTHON, [programPath('selfcheck.py'), '--vectors', vectors], { stdio: ['ignore', 'pipe', 'pipe'] });
    check('the second implementation against the vectors and against itself', true);
  } catch (error) {
    check(
      'the second implementation against the vectors and against itself',
      false,
      String((error as { stdout?: unknown }).stdout).slice(-600),
    );
  }
}

try {
  itself();
  updateFiles(PYTHON, folder, check);
  const relay = await realRelay();
  const alone = [() => secondController(relay), () => secondAgent(relay), secondRelay, () => devices(programs, relay)];
  for (const scene of alone) await scene().catch((error: unknown) => check('a scene', false, String(error)));
} finally {
  await programs.end();
}
console.log(`${programs.passed} passed, ${programs.failed} failed`);
process.exitCode = programs.failed === 0 ? 0 : 1;
