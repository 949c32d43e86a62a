// What an attacker who can read the memory of relay and agent finds (issue "Nothing leaks"): real processes, the memory
// of each read through /proc at mid-job and when the image is written. The controller's memory, which must hold the
// image, is the positive control.
import { closeSync, openSync, readFileSync, readSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundledStubs } from '../../../agent/node/bundled-stubs.ts';
import { leakScanner, type LeakScanner } from '../../../cli/demo/leak-scan.ts';
import { DemoProcess } from '../../../cli/demo/processes.ts';
import { readImage } from '../../../controller/image/image.ts';
import { concat, toHex as hex } from '../../../shared/codec/bytes.ts';

const EXAMPLE = new URL('../../../examples/bootloader/prebuilt/combined.elf', import.meta.url).pathname;
const CHUNK = 1 << 22;

let passed = 0;
let failed = 0;
function check(title: string, good: boolean): void {
  if (good) passed++;
  else failed++;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${title}`);
}

/**
 * Every telling 8-byte run of the image in the readable memory of a stopped process: where it begins and what it is.
 */
function runsIn(pid: number, scanner: LeakScanner): { at: number; run: Uint8Array }[] {
  process.kill(pid, 'SIGSTOP');
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const found: { at: number; run: Uint8Array }[] = [];
  let bytes = 0;
  try {
    for (const [start, end] of readableSpans(pid)) {
      for (let at = start; at < end; at += CHUNK) {
        const chunk = readSpan(memory, at, Math.min(CHUNK + 7, end - at));
        bytes += chunk.length;
        for (const hit of scanner.find(chunk, Infinity)) found.push({ at: at + hit, run: chunk.slice(hit, hit + 8) });
      }
    }
  } finally {
    closeSync(memory);
    process.kill(pid, 'SIGCONT');
  }
  console.log(`     ${(bytes / 2 ** 20).toFixed(0)} MiB of process ${pid} read`);
  return found;
}

/** Stretches of the image, 8 bytes or longer: runs that begin at consecutive addresses. */
function stretchesIn(pid: number, scanner: LeakScanner): { at: string; text: string; length: number }[] {
  const stretches: { end: number; text: string; length: number }[] = [];
  for (const { at, run } of runsIn(pid, scanner)) {
    const last = stretches.at(-1);
    if (last !== undefined && last.end === at + 7) {
      last.text += hex(run.subarray(7));
      last.end++;
      last.length++;
    } else {
      stretches.push({ end: at + 8, text: hex(run), length: 8 });
    }
  }
  return stretches.map(({ end, length, text }) => ({ at: (end - length).toString(16), text, length }));
}

/**
 * No stretch of `proof` bytes, and no more different shorter ones than chance explains. The same two words again and
 * again, as a collected heap leaves them, are one coincidence.
 */
function nothing(title: string, pid: number, scanner: LeakScanner, { proof, chance }: ScriptedSession): void {
  const found = stretchesIn(pid, scanner);
  const different = [...new Map(found.map((stretch) => [stretch.text, stretch])).values()];
  different.sort((one, other) => other.length - one.length);
  for (const { at, text } of different.slice(0, 10)) console.log(`     found at ${at}: ${text.slice(0, 80)}`);
  check(title, different.length <= chance && different.every(({ length }) => length < proof));
}

/** Writable anonymous memory, heaps and stacks: where data can be. */
function readableSpans(pid: number): [number, number][] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n');
  return lines.flatMap((line): [number, number][] => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (r.)/.exec(line);
    if (match?.[3] !== 'rw') return [];
    return [[parseInt(match[1]!, 16), parseInt(match[2]!, 16)]];
  });
}

function readSpan(memory: number, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  try {
    return bytes.subarray(0, readSync(memory, bytes, 0, length, at));
  } catch {
    return bytes.subarray(0, 0);
  }
}

const event = (name: string) => (told: Readonly<Record<string, unknown>>) => told['event'] === name;

interface ScriptedSession {
  readonly title: string;
  readonly path: string;
  readonly options: readonly string[];
  readonly plain: Uint8Array;
  /**
   * How many consecutive bytes are proof. Eight random bytes are; eight of real firmware (two addresses, a jump table)
   * also occur by chance in a process that never saw it, sixteen do not.
   */
  readonly proof: number;
  /** Most different stretches shorter than that which chance explains. */
  readonly chance: number;
}

/** Runs `look` while these processes stand still, so that however long it takes the job does not end meanwhile. */
function stopped(actors: readonly DemoProcess[], look: () => void): void {
  for (const { pid } of actors) process.kill(pid, 'SIGSTOP');
  try {
    look();
  } finally {
    for (const { pid } of actors) process.kill(pid, 'SIGCONT');
  }
}

async function scan(session: ScriptedSession): Promise<void> {
  const { title, path, options, plain, proof } = session;
  const folder = mkdtempSync(join(tmpdir(), 'bf-memory-'));
  const actors: DemoProcess[] = [];
  const start = (name: string, words: readonly string[], home: string): DemoProcess => {
    const actor = new DemoProcess(name, words, { BLINDFLASH_HOME: join(folder, home) });
    actors.push(actor);
    return actor;
  };
  try {
    const board = start('board', ['sim', '--tcp', '0'], 'board');
    const relay = start('relay', ['relay', '--open', '--listen', '127.0.0.1:0'], 'relay');
    const probe = String((await board.hear(event('ready')))['url']).replace('tcp://', 'tcp:');
    const url = String((await relay.hear(event('listening')))['url']);
    await start('keygen', ['keygen', '--no-passphrase'], 'vendor').succeeded();
    const invite = join(folder, 'invite');
    const words = ['flash', path, '--relay', url, '--invite-out', invite, '--yes', '--no-code', ...options];
    const vendor = start('controller', words, 'vendor');
    await vendor.hear(event('invite'));
    const agent = start('agent', ['agent', '--probe', probe, '--invite-file', invite], 'customer');
    const { word } = await agent.hear(event('sheet'));
    // What is there before the yes is not from this image's journey: constants of hash functions,
    // words every program knows.
    const stub = concat(...bundledStubs().images);
    const everything = leakScanner(plain, stub);
    const innocent = [agent, relay].flatMap(({ pid }) => runsIn(pid, everything).map(({ run }) => run));
    const scanner = leakScanner(plain, concat(stub, ...innocent));
    console.log(
      `     ${scanner.windows} runs looked for; ${scanner.shared} occur in the public stub or in any node process`,
    );
    agent.type(String(word));
    for (const [when, wanted] of [
      ['mid-job', 'erased'],
      ['image written', 'written'],
    ] as const) {
      await vendor.hear(event(wanted));
      stopped([vendor, agent, relay], () => {
        nothing(`${title}, ${when}: no ${proof} bytes of it in the agent`, agent.pid, scanner, session);
        nothing(`${title}, ${when}: no ${proof} bytes of it in the relay`, relay.pid, scanner, session);
        if (when === 'mid-job') {
          check(
            `${title}, ${when}: the same scan finds the image in the controller`,
            stretchesIn(vendor.pid, scanner).some(({ length }) => length >= proof),
          );
        }
      });
    }
    await Promise.all([vendor.succeeded(), agent.succeeded()]);
    check(`${title}: the job ended well`, true);
  } finally {
    for (const actor of actors) actor.stop();
    await Promise.all(actors.map((actor) => actor.ended()));
    rmSync(folder, { recursive: true, force: true });
  }
}

const random = new Uint8Array(randomBytes(150_000));
new DataView(random.buffer).setUint32(0, 0x20020000, true);
new DataView(random.buffer).setUint32(4, 0x08000201, true);
const randomPath = join(tmpdir(), `bf-random-${process.pid}.bin`);
writeFileSync(randomPath, random);
try {
  await scan({
    title: 'random image',
    path: randomPath,
    options: ['--base', '0x08000000'],
    plain: random,
    proof: 8,
    chance: 0,
  });
  const real = readImage(new Uint8Array(readFileSync(EXAMPLE)), { name: EXAMPLE });
  const plain = concat(...real.segments.map(({ bytes }) => bytes));
  await scan({ title: 'real image', path: EXAMPLE, options: [], plain, proof: 16, chance: 16 });
} finally {
  rmSync(randomPath, { force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
