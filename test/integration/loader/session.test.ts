// Sessions with the loader over the serial link (docs/loader.md; docs/serial-link.md; docs/protocol.md §4, §8, §9):
// what it takes, what it refuses, what the journal says afterwards.
import assert from 'node:assert/strict';
import { LOADER_MAP } from '../../../controller/loader/config.ts';
import { concat } from '../../../shared/codec/bytes.ts';
import { exchangeKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { CHIP_ERRORS } from '../../../shared/errors/chip-errors.ts';
import { STATES } from '../../../shared/mailbox/layout.ts';
import { IDENT } from '../../../shared/serial/packets.ts';
import type { Board } from '../../../sim/board.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { watchLoads } from '../firmware/bus-watch.ts';
import { installed, installPlan, LoaderController, loaderPlan, MODE } from './loader-controller.ts';
import {
  BANKS,
  complete,
  FACTS,
  FLASH,
  IMAGE,
  inInstaller,
  loaderImage,
  record,
  rootOf,
  runMs,
  runToPc,
  sha512,
  spinning,
  SPINS_AT,
  uses,
} from './loader-fixture.ts';
import { afterPowerCycle, image, IMAGE_BYTES, installedBoard, linked, session } from './prepared-boards.ts';

const SLOT_KEYS = LOADER_MAP.slots - FLASH + 4;
const BROKEN = 0x00ff0000;
const OPEN = 0xffff0000;
const ORDERLY = 0;
/** A bit of the image's first instruction's address that flash does not keep. */
const STUCK = 0x200;

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const word = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
const field = (ident: Uint8Array, name: keyof typeof IDENT): Uint8Array =>
  ident.slice(IDENT[name].offset, IDENT[name].offset + IDENT[name].size);

/** Kinds of the units of the bank in use, up to the first blank one; what follows COMPLETE is left out. */
function journal(board: Board, bank = 0): string[] {
  const bytes = board.flash.bytes.subarray(BANKS[bank]! - FLASH, BANKS[bank]! - FLASH + 0x4000);
  const kinds: string[] = [];
  for (let at = 0; bytes[at] !== 0xff; at += 32) {
    const kind = text(bytes.slice(at, at + 4));
    kinds.push(kind);
    if (kind === 'CMPL') at += word(bytes, at + 28 - 4);
  }
  return kinds;
}
/** Use words of all units, in order. */
function useWords(board: Board): number[] {
  const bytes = board.flash.bytes.subarray(BANKS[0] - FLASH, BANKS[0] - FLASH + 0x4000);
  const words: number[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    if (text(bytes.slice(at, at + 4)) !== 'USES') continue;
    for (let i = 1; i < 8; i++) if (word(bytes, at + 4 * i) !== 0xffffffff) words.push(word(bytes, at + 4 * i));
  }
  return words;
}

describe('loader: who it says it is', () => {
  it('IDENT: locked, keys, no image; the hash of its code, the facts of config and chip', () => {
    const link = linked();
    link.send('askIdent');
    const ident = link.await('ident');
    assert.deepEqual([...field(ident, 'flags')], [1 | 4 | 8, 0]);
    assert.deepEqual(field(ident, 'loaderHash'), sha512(loaderImage()));
    assert.equal(word(ident, IDENT.product.offset), FACTS.product);
    assert.equal(word(ident, IDENT.mostBaud.offset), 921600);
    assert.equal(ident[IDENT.freeKeySlots.offset], 6);
    assert.equal(link.damaged, 0);
  });

  it('IDENT of a board with an image tells its version and floor', () => {
    const link = installedBoard();
    link.send('askIdent');
    const ident = link.await('ident');
    assert.equal(ident[IDENT.flags.offset]! & 2, 2);
    assert.deepEqual([word(ident, IDENT.imageVersion.offset), word(ident, IDENT.floor.offset)], [7, 3]);
  });
});

describe('loader: sessions', () => {
  it('an enrolment tells both public keys and what boot found, and notes one use with an orderly end', () => {
    const link = linked();
    const controller = session(link);
    const { facts } = controller;
    const slot = link.board.flash.bytes.slice(SLOT_KEYS, SLOT_KEYS + 128);
    assert.deepEqual(facts.deviceKey, slot.slice(32, 64));
    assert.deepEqual(facts.fileKey, slot.slice(96, 128));
    assert.deepEqual(controller.loaderHash, sha512(loaderImage()));
    assert.deepEqual(facts.boot, { resetFlags: 0x0e000000, debug: 0, watchers: 0 });
    assert.deepEqual(useWords(link.board), [OPEN]);
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
    assert.deepEqual(useWords(link.board), [ORDERLY]);
    assert.deepEqual(journal(link.board), ['BANK', 'USES']);
  });

  it('an install: BEGIN with the first ERASE, COMPLETE with the root that flash has, and the image starts', () => {
    const link = linked();
    const controller = session(link, installPlan(image, { finalAction: 'run' }));
    assert.deepEqual(journal(link.board), ['BANK', 'USES']);
    controller.ask({ name: 'ERASE', sector: 4 });
    assert.deepEqual(journal(link.board), ['BANK', 'USES', 'BEGN']);
    controller.sendImage(image);
    const written = controller.ask(controller.final(image));
    assert.equal(written.name, 'WRITTEN');
    const at = BANKS[0] - FLASH + 3 * 32;
    const expected = complete(3, image);
    assert.equal(text(link.board.flash.bytes.slice(at, at + 4)), 'CMPL');
    assert.deepEqual(link.board.flash.bytes.slice(at + 32, at + 96), rootOf(IMAGE, image));
    assert.deepEqual(link.board.flash.bytes.slice(at + 32, at + expected.length), expected.slice(32));
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
    assert.deepEqual(installed(link, IMAGE_BYTES), image);
    runToPc(link.board, SPINS_AT, 300);
    link.board.powerOff();
    link.board.powerOn();
    runToPc(link.board, SPINS_AT, 20);
  });

  it('an image with one wrong byte is not completed: the board stays in the installer', () => {
    const link = linked();
    const controller = session(link, installPlan(image));
    controller.ask({ name: 'ERASE', sector: 4 });
    const other = image.slice();
    other[5000]! ^= 1;
    controller.sendImage(other);
    assert.equal(controller.ask(controller.final(image)).name, 'ABORT');
    assert.equal(controller.status().error, CHIP_ERRORS.digestDiffers.number);
    assert.deepEqual(journal(link.board), ['BANK', 'USES', 'BEGN']);
    const next = afterPowerCycle(link.board);
    assert.ok(inInstaller(next.board));
    assert.deepEqual(useWords(next.board), [BROKEN]);
  });

  it('a boot word that flash took otherwise than FINAL says is not completed: the board stays in the installer', () => {
    const link = linked();
    const { board } = link;
    const controller = session(link, installPlan(image));
    controller.ask({ name: 'ERASE', sector: 4 });
    controller.sendImage(image);
    controller.settle();
    const write = board.bus.write.bind(board.bus);
    board.bus.watch(IMAGE, IMAGE + 8, () => {});
    board.bus.write = (address, value, width, master) =>
      write(address, address === IMAGE + 4 ? value & ~STUCK : value, width, master);
    assert.equal(controller.ask(controller.final(image)).name, 'ABORT');
    assert.equal(word(installed(link, 8), 4), word(image, 4) & ~STUCK);
    assert.equal(controller.status().error, CHIP_ERRORS.digestDiffers.number);
    assert.deepEqual(journal(board), ['BANK', 'USES', 'BEGN']);
    assert.ok(inInstaller(afterPowerCycle(board).board));
  });

  it('a sector that reads blank is erased all the same: an erase may have been cut in an earlier boot', () => {
    const link = linked();
    const erased: (number | undefined)[] = [];
    const controller = session(link, installPlan(image));
    assert.ok(installed(link, 0x10000).every((byte) => byte === 0xff));
    link.board.flash.onOperation = ({ kind, address }) => void (kind === 'erase' && erased.push(address));
    controller.ask({ name: 'ERASE', sector: 4 });
    assert.deepEqual([...new Set(erased)], [IMAGE]);
  });

  it('a short IMAGE comes in a command of the common size', () => {
    const link = linked();
    const controller = session(link, installPlan(image));
    controller.ask({ name: 'ERASE', sector: 4 });
    const plain = new Uint8Array(176);
    plain.set([1, 0, 160, 0]);
    new DataView(plain.buffer).setUint32(4, IMAGE + 64, true);
    plain.set(image.subarray(64, 224), 16);
    controller.sendPlain(plain);
    controller.settle();
    assert.deepEqual(installed(link, 224).slice(64), image.slice(64, 224));
  });

  it('an image of several sectors: its root is that of all its ranges, at the start with the digest too', () => {
    const long = spinning(0x10000 + 3000, 21);
    const parts = [long.slice(0, 0x10000), long.slice(0x10000)] as const;
    const at = [IMAGE, IMAGE + 0x10000] as const;
    const ranges = parts.map(({ length }, i) => ({ address: at[i]!, length, use: 'program' as const }));
    const link = linked({ config: { digest: true } }, 'digest');
    const controller = session(link, installPlan(long, { ranges }));
    for (const sector of [4, 5]) controller.ask({ name: 'ERASE', sector });
    for (const [i, part] of parts.entries()) {
      const from = i === 0 ? 64 : 0;
      for (let done = from; done < part.length; done += 4032) {
        while (controller.status().credit <= controller.sent) link.run(5);
        controller.send({ name: 'IMAGE', address: at[i]! + done, data: part.slice(done, done + 4032) });
      }
    }
    const first = concat(new Uint8Array(64).fill(0xff), parts[0].slice(64));
    const root = rootOf(at[0], first, [at[1], parts[1]]);
    assert.equal(controller.ask({ name: 'FINAL', root, bootWords: long.slice(0, 64) }).name, 'WRITTEN');
    controller.ask({ name: 'END' });
    link.board.powerOff();
    link.board.powerOn();
    runToPc(link.board, SPINS_AT, 120);
    link.board.flash.bytes[IMAGE - FLASH + 0x10000 + 2999]! &= 0x7e;
    link.board.powerOff();
    link.board.powerOn();
    runMs(link.board, 120);
    assert.ok(inInstaller(link.board));
  }).timeout(120_000);

  it('a second image takes the first one’s place', () => {
    const link = installedBoard();
    const next = image.slice(0, 6000);
    next[5999]! ^= 0xff;
    const controller = session(link, installPlan(next, { words: [FACTS.product, 8, 8] }));
    controller.install(next);
    assert.deepEqual(journal(link.board), ['BANK', 'USES', 'BEGN', 'CMPL', 'BEGN', 'CMPL']);
    link.board.powerOff();
    link.board.powerOn();
    runToPc(link.board, SPINS_AT, 20);
    assert.deepEqual(installed(link, 6000), next);
  });
});

describe('loader: what it refuses', () => {
  const AT = { kind: 6, mode: 7, sectors: 32, boot: 36, words: 48, ranges: 64 };
  const lock = (plan: Uint8Array): Uint8Array => {
    plan[41] = 1;
    return plan;
  };
  const ranges = [{ address: IMAGE - 0x4000, length: 256, use: 'program' }] as const;
  const digestOf = (address: number, length: number): Uint8Array =>
    loaderPlan({ kind: 'verify', ranges: [{ address, length, use: 'digest' }] });
  const cases: readonly [what: string, plan: Uint8Array, offset: number | undefined][] = [
    ['the mode of a chip without keys', installPlan(image, { mode: MODE.hostBlind }), AT.mode],
    ['a mode there is not', installPlan(image, { mode: 4 }), AT.mode],
    ['a plan that only erases', loaderPlan({ kind: 'erase', sectors: [4] }), undefined],
    ['another product', installPlan(image, { words: [FACTS.product + 1, 7, 3] }), AT.words],
    ['a floor above its version', installPlan(image, { words: [FACTS.product, 7, 8] }), AT.words + 8],
    ['a sector of the journal', installPlan(image, { sectors: [3, 4] }), AT.sectors],
    [
      'an image that lies elsewhere',
      installPlan(image, { sectors: [3, 4], ranges, bootAddress: IMAGE - 0x4000 }),
      undefined,
    ],
    ['a lock', lock(installPlan(image)), undefined],
    ['a digest of the key slots', digestOf(LOADER_MAP.slots + 4, 32), AT.ranges],
    ['a digest that reaches into them', digestOf(LOADER_MAP.slots - 4, 8), AT.ranges],
    ['a digest of all round them', digestOf(FLASH + 0x4000, 0x4000), AT.ranges],
    ['an image without boot words', installPlan(image, { bootAddress: undefined }), undefined],
  ];

  for (const [what, plan, offset] of cases) {
    it(`${what}, and nothing is written`, () => {
      const link = linked();
      const before = link.board.flash.bytes.slice();
      const controller = new LoaderController(link, plan);
      link.send('job', controller.job());
      link.runUntil(() => controller.status().state === STATES.refused, 1000, 'refusal');
      const { error, detail } = controller.status();
      assert.equal(error, CHIP_ERRORS.planMalformed.number);
      if (offset !== undefined) assert.equal(detail, offset);
      assert.deepEqual(link.board.flash.bytes, before);
    });
  }

  it('but a digest of what lies beside the key slots it takes', () => {
    const link = linked();
    const controller = new LoaderController(link, digestOf(LOADER_MAP.slots - 512, 512));
    link.send('job', controller.job());
    link.runUntil(() => controller.status().state === STATES.offered, 1000, 'offer');
  });

  it('a version below the floor; and between floor and version it takes an old one', () => {
    for (const [version, state] of [
      [2, 'refused'],
      [3, 'offered'],
    ] as const) {
      const link = installedBoard();
      const controller = new LoaderController(link, installPlan(image, { words: [FACTS.product, version, 0] }));
      link.send('job', controller.job());
      link.runUntil(() => controller.status().state === STATES[state], 1000, `${version}: ${state}`);
    }
  });

  it('a vendor it does not know', () => {
    const link = linked();
    const keys = exchangeKeyPairFrom('sealed', seededRandom(78).bytes(32));
    const controller = new LoaderController(link, installPlan(image), { keys });
    link.send('job', controller.job());
    link.runUntil(() => controller.status().state === STATES.refused, 1000, 'refusal');
    assert.equal(controller.status().error, CHIP_ERRORS.vendorKey.number);
  });

  it('any session on a board that is not locked, or has no keys it may use', () => {
    const link = linked({ slots: new Uint8Array(2048) }, 'no keys');
    const controller = new LoaderController(link, installPlan(image));
    link.send('job', controller.job());
    link.runUntil(() => controller.status().state === STATES.refused, 1000, 'refusal');
    assert.equal(controller.status().error, CHIP_ERRORS.protectedChip.number);
  });
});

describe('loader: uses of the device’s key', () => {
  /** Forged answers tried. */
  const FORGED = 12;

  it('a forged M2 costs no use, and no byte of the secret halves is read', () => {
    const link = linked();
    const { board } = link;
    let read = 0;
    for (const index of [0, 2, 4, 5, 6, 7]) {
      watchLoads(board, FLASH + SLOT_KEYS + 32 * index, FLASH + SLOT_KEYS + 32 * index + 32, () => read++);
    }
    const before = board.flash.bytes.slice();
    for (let i = 0; i < FORGED; i++) {
      const controller = new LoaderController(link, installPlan(image), { seed: 100 + i });
      const m2 = controller.answer(controller.offer());
      m2[i === 0 ? 127 : (i * 11) % 128]! ^= 1;
      link.send('m2', m2);
      link.runUntil(() => controller.status().state === STATES.aborted, 1000, 'end');
    }
    assert.equal(read, 0);
    assert.deepEqual(board.flash.bytes, before);
    session(link);
    assert.ok(read > 0, 'a genuine one reads them');
  }).timeout(120_000);

  /** How long M3 takes after M2, ms, on a board whose last uses were these. */
  function waitAfter(...words: number[]): number {
    const units = [];
    for (let i = 0; i < words.length; i += 7) units.push(uses(...words.slice(i, i + 7)));
    const link = linked({ banks: [[record('BANK', 1), ...units], []] }, `uses ${words.join(' ')}`);
    const controller = new LoaderController(link, loaderPlan({ kind: 'enroll' }));
    link.send('m2', controller.answer(controller.offer()));
    const begun = link.board.time.now;
    link.run(300);
    const waiting = (controller.status().state & 0x40) !== 0;
    controller.confirm(link.await('m3', 30_000));
    const took = (link.board.time.now - begun) / 1e6;
    assert.equal(waiting, took > 900);
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
    return took;
  }
  const broken = (count: number): number[] => Array<number>(count).fill(BROKEN);

  it('after 16 sessions without an orderly end the next one waits, with each more twice as long; an orderly end resets', () => {
    assert.ok(waitAfter(...broken(15)) < 900);
    const first = waitAfter(...broken(16));
    assert.ok(first >= 1000 && first < 1900, `${first}`);
    const later = waitAfter(...broken(18));
    assert.ok(later >= 4000 && later < 5000, `${later}`);
    assert.ok(waitAfter(...broken(20), ORDERLY) < 900);
  }).timeout(120_000);
});

describe('loader: vendor keys', () => {
  const other = exchangeKeyPairFrom('sealed', seededRandom(79).bytes(32));
  const first = exchangeKeyPairFrom('sealed', seededRandom(77).bytes(32));
  const keys = [
    { publicKey: first.publicKey, roles: ['sessions'] },
    { publicKey: other.publicKey, roles: ['sessions', 'keys', 'spare'] },
  ] as const;
  const open = () => linked({ config: { keys } }, 'two keys');

  it('one with the role clears another, which is refused from then on, also after a power cycle', () => {
    const link = open();
    const controller = new LoaderController(link, loaderPlan({ kind: 'keys', words: [1] }), { keys: other });
    controller.connect();
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
    assert.deepEqual(journal(link.board), ['BANK', 'USES', 'MASK']);
    const next = afterPowerCycle(link.board);
    next.knock();
    const refused = new LoaderController(next, installPlan(image));
    next.send('job', refused.job());
    next.runUntil(() => refused.status().state === STATES.refused, 1000, 'refusal');
    assert.equal(refused.status().error, CHIP_ERRORS.vendorKey.number);
  });

  it('none clears itself, and one without the role clears none', () => {
    for (const [mask, by] of [
      [2, other],
      [2, first],
    ] as const) {
      const link = open();
      const controller = new LoaderController(link, loaderPlan({ kind: 'keys', words: [mask] }), { keys: by });
      link.send('job', controller.job());
      link.runUntil(() => controller.status().state === STATES.refused, 1000, 'refusal');
    }
  });
});
