// Nothing secret outlives a session: keys, chains, plaintext are looked for in CCM and SRAM after every way out.
import assert from 'node:assert/strict';
import type { Bench } from './bench.ts';
import { active, FLASH, Image, sendImage, smallPlan, writeAll } from './jobs.ts';
import { sessionSecrets } from './keys.ts';
import type { Vendor } from './vendor.ts';

const CCM = { base: 0x10000000, size: 0x10000 };
const SRAM = { base: 0x20000000, size: 0x30000 };
const plan = smallPlan({ idleLimitMs: 1000 });

const memory = (bench: Bench, { base, size }: typeof CCM) => Buffer.from(bench.read(base, size));

/** Names of the secrets found, by any 16 of their bytes. */
function found(where: Buffer, secrets: Record<string, Uint8Array>): string[] {
  return Object.keys(secrets).filter((name) => {
    const secret = secrets[name]!;
    for (let at = 0; at + 16 <= secret.length; at += 16)
      if (where.includes(Buffer.from(secret.subarray(at, at + 16)))) return true;
    return false;
  });
}

/** An active session in the middle of its work, with what must not be found later. */
function busy(): { bench: Bench; vendor: Vendor; secrets: Record<string, Uint8Array>; image: Image } {
  const { bench, vendor } = active(plan);
  const image = new Image(plan);
  const secrets = { ...sessionSecrets(bench, vendor), plaintext: image.at(FLASH + 0x1000, 512).slice() };
  return { bench, vendor, secrets, image };
}
/** Erase under way, frames opened and queued behind it. */
function busyErasing(): ReturnType<typeof busy> {
  const all = busy();
  all.vendor.send({ name: 'ERASE', sector: 0 });
  sendImage(all.vendor, plan, all.image);
  all.bench.runMs(20);
  return all;
}

const EXITS: readonly (readonly [what: string, state: string, leave: (bench: Bench, vendor: Vendor) => void])[] = [
  ['the controller aborts', 'aborted', (_, vendor) => void vendor.send({ name: 'ABORT' })],
  ['the agent aborts', 'aborted', (bench) => bench.command('abort')],
  ['a box does not open', 'aborted', (_, vendor) => vendor.place(new Uint8Array(192), vendor.session.sent + 1)],
  ['a hostile frame comes', 'aborted', (_, vendor) => void vendor.send({ name: 'ERASE', sector: 5 })],
  ['nothing moves for the idle limit', 'expired', (bench) => bench.runMs(2500)],
  ['a CPU fault strikes', 'fault', (bench) => bench.setWord(0x2000003c, 0x20000100)],
  ['another handshake begins', 'offered', (bench) => bench.command('handshake')],
];

function assertClean(bench: Bench, secrets: Record<string, Uint8Array>): void {
  assert.deepEqual(found(memory(bench, CCM), secrets), [], 'in CCM');
  assert.deepEqual(found(memory(bench, SRAM), secrets), [], 'in SRAM');
}

describe('stub wiping', () => {
  it('the search finds keys and plaintext while they are there, and only in CCM', () => {
    const { bench, secrets } = busyErasing();
    const inCcm = found(memory(bench, CCM), secrets);
    assert.ok(inCcm.includes('box key of chain i2r 0') && inCcm.includes('box key of chain r2i 0'));
    assert.ok(inCcm.includes('plaintext'));
    assert.deepEqual(found(memory(bench, SRAM), secrets), []);
  });
  it('agreement, old chains and what they came from are gone while the session lives', () => {
    const { bench, secrets } = busy();
    const inCcm = found(memory(bench, CCM), secrets);
    for (const gone of ['ee', 'es', 'prk', 'chain i2r 0', 'chain r2i 0']) assert.ok(!inCcm.includes(gone), gone);
  });
  for (const [what, state, leave] of EXITS)
    it(`leaves nothing when ${what}`, () => {
      const { bench, vendor, secrets } = busyErasing();
      leave(bench, vendor);
      bench.runUntil(() => bench.state === state && bench.control('COMMAND') === 0, 6000, state);
      assertClean(bench, secrets);
      if (state !== 'fault') assert.equal(bench.word(0x40023c10) >>> 31, 1, 'FLASH_CR is locked');
    });
  it('leaves nothing after END, and its secret memory reads zero', () => {
    const { bench, vendor, secrets, image } = busy();
    writeAll(vendor, plan, image);
    assert.equal(vendor.ask({ name: 'END' }).name, 'ENDED');
    bench.runUntil(() => bench.state === 'ended', 10, 'ended');
    assertClean(bench, secrets);
    const ccm = memory(bench, CCM);
    assert.ok(
      ccm.subarray(0, 0x4000).every((byte) => byte === 0),
      'keys and buffers',
    );
    assert.ok(
      ccm.subarray(0xe000, 0xfe00).every((byte) => byte === 0),
      'stack',
    );
  });
  it('clears plaintext behind the programming, not only at the end', () => {
    const { bench, vendor, secrets, image } = busy();
    vendor.send({ name: 'ERASE', sector: 0 });
    sendImage(vendor, plan, image);
    vendor.reply();
    vendor.settle();
    vendor.ask({ name: 'DIGEST', range: 0 });
    assert.ok(!found(memory(bench, CCM), secrets).includes('plaintext'));
  });
  it('keeps no plaintext when programming is broken off', () => {
    const { bench, vendor, secrets } = busyErasing();
    bench.runUntil(() => bench.control('WORDS') > 100, 1000, 'programming');
    vendor.send({ name: 'ABORT' });
    bench.runUntil(() => bench.state === 'aborted', 1000, 'abort');
    assertClean(bench, secrets);
    const words = bench.control('WORDS');
    bench.runMs(100);
    assert.equal(bench.control('WORDS'), words, 'the engine has stopped');
  });
});
