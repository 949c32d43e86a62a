// What an observer holds after a job (docs/threat-model.md, "read along"; "timing, traffic analysis"): no run of the
// image, no key, no read outside the mailbox, and lengths that depend on the plan alone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { leakScanner, type LeakScanner } from '../../cli/demo/leak-scan.ts';
import { readImage, type Image } from '../../controller/image/image.ts';
import { concat, toBase64url, toHex } from '../../shared/codec/bytes.ts';
import { CONTROL } from '../../shared/mailbox/layout.ts';
import { MEMORY } from '../fixtures/f42x.ts';
import type { Log, LogFields } from '../../shared/ports.ts';
import { bootable, FLASH, imageOf } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { ProductFixture, type RunOutcome } from '../fixtures/product.ts';

const elf = new URL('../../examples/bootloader/prebuilt/combined.elf', import.meta.url);

/** A log that keeps every line as text. */
function collectingLog(lines: string[]): Log {
  const note = (fields: LogFields, message: string) => void lines.push(`${JSON.stringify(fields)} ${message}`);
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
  return log;
}

interface Observed {
  readonly product: ProductFixture;
  readonly outcome: RunOutcome;
  readonly lines: readonly string[];
}

async function observe(image: Image, seed: number): Promise<Observed> {
  const lines: string[] = [];
  const product = new ProductFixture({ seed, log: collectingLog(lines) });
  const outcome = await product.flash(image);
  assert.equal(outcome.agent.result, 'done');
  return { product, outcome, lines };
}

/** Everything an observer could have written down, each as one stretch of bytes. */
function haystacks({ product, outcome, lines }: Observed): ReadonlyMap<string, Uint8Array> {
  const { relay, usb, swd } = product.captures;
  const words = new Uint8Array(Uint32Array.from(swd).buffer);
  const text = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '');
  const { error, ...told } = outcome.agent;
  return new Map([
    ['relay', concat(...relay)],
    ['USB', concat(...usb)],
    // Commands, data out and replies each on their own: nothing in between can hide a run.
    ...[0, 1, 2].map((kind) => [`USB stream ${kind}`, concat(...usb.filter((_, i) => i % 3 === kind))] as const),
    ['SWD', words],
    ['SWD backwards', words.slice().reverse()],
    ['log', Buffer.from(lines.join('\n'))],
    ['agent', text({ ...told, error: String(error), said: product.said, sheets: product.sheets })],
  ]);
}

function found(scanner: LeakScanner, observed: Observed): string[] {
  return [...haystacks(observed)].filter(([, bytes]) => scanner.find(bytes).length > 0).map(([name]) => name);
}

function scannerOf(image: Image): LeakScanner {
  return leakScanner(concat(...image.segments.map(({ bytes }) => bytes)));
}

/** Reads of the probe: address and length, from the command bytes (docs/reference/stlink.md §2.2). */
function readsOf(product: ProductFixture): { readonly address: number; readonly length: number }[] {
  const reads: { address: number; length: number }[] = [];
  let written = false;
  for (let at = 0; at < product.captures.usb.length; at += 3) {
    const command = product.captures.usb[at] as Uint8Array;
    const view = new DataView(command.buffer, command.byteOffset, command.byteLength);
    if (command[0] !== 0xf2) continue;
    const isBlock = [0x07, 0x0c, 0x47, 0x54].includes(command[1]!);
    if (isBlock) reads.push({ address: view.getUint32(2, true), length: view.getUint16(6, true) });
    if (command[1] === 0x36) reads.push({ address: view.getUint32(2, true), length: 4 });
    assert.notEqual(command[1], 0x3a, 'READALLREGS is never sent');
    // What the board was started from shows in the program counter, before our program is loaded.
    if (command[1] === 0x33) assert.deepEqual([command[2], written], [15, false], 'READREG is sent for that alone');
    written ||= command[1] === 0x08;
  }
  return reads;
}

/** What may be read: who the chip is, its debug settings, the stub as it was just loaded, and the mailbox. */
const READABLE: readonly (readonly [address: number, length: number, what: string])[] = [
  [0xe000ed00, 4, 'CPUID'],
  [0xe000ed0c, 4, 'AIRCR'],
  [0xe000edf0, 16, 'DHCSR, DCRSR, DCRDR, DEMCR'],
  [0xe0002000, 4, 'FP_CTRL'],
  [0xe0042000, 16, 'DBGMCU'],
  [0x40023c14, 8, 'FLASH_OPTCR, OPTCR1'],
  [0x1fff7a10, 12, 'UID'],
  [0x1fff7a20, 4, 'flash size'],
  [MEMORY.stub.address, MEMORY.stub.size, 'stub, read back'],
  [MEMORY.replies.address, MEMORY.replies.size, 'reply ring'],
  [MEMORY.control.address, CONTROL.STUB_HASH.offset + 64, 'control page'],
];

/** Noise of the same length; the vector table stays, so that it is a job of the same shape. */
function noiseLike(bytes: Uint8Array, seed: number): Uint8Array {
  const noise = seededRandom(seed + 900).bytes(bytes.length);
  noise.set(bytes.subarray(0, 64));
  return noise;
}

describe('what an observer holds', function () {
  this.timeout(60_000);
  const random = imageOf([FLASH, bootable(80, 20_000)], [FLASH + 0x10000, seededRandom(81).bytes(3000)]);
  let honest: Observed;
  before(async () => {
    honest = await observe(random, 82);
  });

  it('no telling run of a random image is in relay, USB, SWD, logs or what the agent tells', () => {
    const scanner = scannerOf(random);
    assert.ok(scanner.windows > 22_000);
    assert.ok(honest.lines.length > 5, 'there is a log to look at');
    assert.deepEqual(found(scanner, honest), []);
  });

  it('nor of the real one', async () => {
    const image = readImage(new Uint8Array(readFileSync(elf)), { name: 'combined.elf' });
    // The same job with noise in place of the image: whatever its wires carry is no secret of this image (stub, our own
    // sentences).
    const twin = image.segments.map(({ address, bytes }, i) => [address, noiseLike(bytes, i)] as const);
    const known = [...haystacks(await observe(imageOf(...twin), 83))].map(([, bytes]) => bytes);
    const scanner = leakScanner(concat(...image.segments.map(({ bytes }) => bytes)), concat(...known));
    assert.ok(scanner.windows > 10_000 && scanner.shared < 300, `${scanner.windows}, ${scanner.shared} shared`);
    assert.deepEqual(found(scanner, await observe(image, 83)), []);
  });

  it('a canary sent in clear through the same captures is found in every one of them', async () => {
    const observed = await observe(imageOf([FLASH, bootable(84, 300)]), 85);
    const { product } = observed;
    const canary = bootable(84, 300).slice(100, 132);
    // Over the relay's wire, and over USB and SWD into SRAM as a careless agent would write it.
    const link = await product.dial('agent');
    link.send(canary);
    const probe = product.probe();
    const write = async () => {
      await probe.open();
      await probe.connect();
      await probe.writeMemory(MEMORY.commands.address, canary);
      await probe.disconnect();
    };
    await product.queue.drive(write());
    const careless = { ...observed, lines: [...observed.lines, Buffer.from(canary).toString('latin1')] };
    const places = found(leakScanner(canary), careless);
    for (const place of ['relay', 'USB', 'USB stream 1', 'SWD']) {
      assert.ok(places.includes(place), `the canary is missed in ${place}: ${places.join(', ')}`);
    }
  });

  it('images of one size give equal frame counts and lengths, whatever their bytes', async () => {
    const shape = async (bytes: Uint8Array) => {
      const { product } = await observe(imageOf([FLASH, bytes]), 86);
      return {
        relay: product.captures.relay.map(({ length }) => length).join(' '),
        slots: product.captures.usb
          .filter((_, i) => i % 3 === 1)
          .map(({ length }) => length)
          .filter((n) => n > 1000)
          .join(' '),
      };
    };
    // Whole frames of FF and of zeros: neither may be left out.
    const plain = bootable(87, 9000);
    const sparse = plain.slice().fill(0xff, 0x80, 8990);
    const zeros = plain.slice().fill(0x00, 0x80, 8990);
    const [a, b, c] = [await shape(plain), await shape(sparse), await shape(zeros)];
    // What carries sealed frames and replies: DATA ‖ BOX ‖ ack, type, sequence ‖ box. (The farewell's length is that of
    // a JSON text with numbers in it, and PROGRESS follows the stub's pace.)
    const frames = (text: string) => text.split(' ').filter((length) => ['223', '4095'].includes(length));
    assert.deepEqual(frames(a.relay), frames(b.relay));
    assert.deepEqual(frames(a.relay), frames(c.relay));
    assert.deepEqual([a.slots, a.slots], [b.slots, c.slots]);
    assert.ok(frames(a.relay).length > 10 && a.slots.length > 10);
  });

  it('an honest job reads nothing but identification, debug settings, its own stub and the mailbox', () => {
    const reads = readsOf(honest.product);
    assert.ok(reads.length > 50);
    for (const { address, length } of reads) {
      const allowed = READABLE.some(([from, size]) => address >= from && address + length <= from + size);
      assert.ok(allowed, `${length} bytes at 0x${address.toString(16)}`);
    }
  });

  it('nothing secret is in a log: invite secret, resume secret, holder seeds, vendor keys, the code', () => {
    const { product, lines } = honest;
    const { room } = product;
    assert.ok(room);
    const resume = product.saved.findLast(
      (saved) => saved.room.invite.tunnels > 0 && saved.room.invite.secret !== undefined,
    )?.room.invite.secret;
    assert.ok(resume);
    const secrets = new Map<string, Uint8Array | undefined>([
      ['invite secret', product.inviteSecret(room)],
      ['resume secret', resume],
      ['holder seed', room.holderSeed],
      ['tunnel secret', room.tunnelSecret],
      ['sealed key', product.keys.sealed.secretKey],
      ['receipt key', product.keys.receipt.secretKey.slice(0, 32)],
      ['tenant key', product.keys.tenant.secretKey.slice(0, 32)],
    ]);
    const text = lines.join('\n');
    for (const [name, secret] of secrets) {
      assert.ok(secret && secret.length === 32, name);
      for (const form of [
        toHex(secret),
        toBase64url(secret),
        Buffer.from(secret).toString('base64'),
        [...secret].join(','),
      ]) {
        assert.ok(!text.includes(form.slice(0, 20)), `${name} is in a log`);
      }
    }
    assert.ok(!text.includes(product.codes.agent[0]!));
    const everything = [...haystacks(honest)];
    for (const [name, secret] of secrets) {
      for (const [place, bytes] of everything) {
        assert.equal(Buffer.from(bytes).indexOf(secret!), -1, `${name} in ${place}`);
      }
    }
  });
});
