// The device's keys (docs/loader.md, "Keys"): when they are made, when they are not, and what a cut leaves.
import assert from 'node:assert/strict';
import nacl from 'tweetnacl';
import { LOADER_MAP } from '../../../controller/loader/config.ts';
import { concat } from '../../../shared/codec/bytes.ts';
import { entryTagKey } from '../../../shared/update/keys.ts';
import { Board, type BoardOptions } from '../../../sim/board.ts';
import type { FlashJournalEntry } from '../../../sim/peripherals/flash-operation.ts';
import { randomState } from '../../../sim/peripherals/random.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { words } from '../firmware/sealed-controller.ts';
import { FLASH, LOCKED, planted, plantedFlash, runMs, sha512 } from './loader-fixture.ts';

const SLOT = 288;
const SLOTS = 7;
const USED = 272;
const AT = { begun: 0, keys: 4, tags: 132, check: 260, closed: 268 } as const;
/** Secrets of a slot: d_s, d_f, then a k for each vendor key, 32 bytes each. */
const SECRETS = [4, 68, 132, 164, 196, 228] as const;
const VENDOR_KEYS = 4;
const BEGUN = 0x5359454b;
const CLOSED = 0x54554853;
const ERASED = 0xffffffff;
/** Until keys are made, read back and closed, ms. */
const MADE = 60;
/** The same with two keys that seal files: each is a use of d_f, with a delay by chance before it. */
const MADE_WITH_FILES = 300;
/** Of the boundaries of words in the middle of the keys one in so many is cut. */
const SPARSE = 40;
const CUTS_MS = 180_000;
const SRAM = 0x20000000;

const slots = (board: Board): Uint8Array =>
  board.flash.bytes.slice(LOADER_MAP.slots - FLASH, LOADER_MAP.slots - FLASH + SLOT * SLOTS);
const word = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

const uidOf = (board: Board): Uint8Array =>
  Uint8Array.from({ length: 12 }, (_, i) => board.bus.read(0x1fff7a10 + i, 1, 'cpu'));

type SlotState = 'blank' | 'zero' | 'closed' | 'open';

function stateOf(slot: Uint8Array): SlotState {
  if (slot.every((byte) => byte === 0xff)) return 'blank';
  if (slot.every((byte) => byte === 0)) return 'zero';
  return word(slot, AT.begun) === BEGUN && word(slot, AT.closed) === CLOSED ? 'closed' : 'open';
}
const states = (board: Board): SlotState[] =>
  Array.from({ length: SLOTS }, (_, i) => stateOf(slots(board).subarray(i * SLOT, (i + 1) * SLOT)));

/** A slot that is closed and whole. */
function madeSlot(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const [session, file] = [
    nacl.box.keyPair.fromSecretKey(random.bytes(32)),
    nacl.box.keyPair.fromSecretKey(random.bytes(32)),
  ];
  const pairs = concat(session.secretKey, session.publicKey, file.secretKey, file.publicKey);
  const check = sha512(session.publicKey, file.publicKey).slice(0, 8);
  const slot = new Uint8Array(SLOT).fill(0xff);
  slot.set(concat(words(BEGUN), pairs, random.bytes(32 * VENDOR_KEYS), check, words(CLOSED)));
  return slot;
}

/** A slot that was begun and not closed. */
function openSlot(seed: number): Uint8Array {
  const slot = madeSlot(seed);
  slot.set(words(ERASED), AT.closed);
  return slot;
}

/** A board on its way out of reset, its flash as given, and what its secrets read from then on. */
function watched(slots: Uint8Array, debug = false): { board: Board; read: number[] } {
  const board = new Board({ ...LOCKED, flash: plantedFlash({ slots }) });
  const read: number[] = [];
  for (let slot = LOADER_MAP.slots; slot < LOADER_MAP.slots + slots.length; slot += SLOT) {
    for (const at of SECRETS) {
      board.bus.watch(slot + at, slot + at + 32, ({ kind, value }) => void (kind === 'read' && read.push(value)));
    }
  }
  board.powerOn();
  if (debug) {
    board.runTo(board.time.now + 1e6);
    board.bus.write(0xe000edf0, 0xa05f0001, 4, 'debugger');
  }
  runMs(board, MADE);
  return { board, read };
}

describe('loader: keys', () => {
  it('are made in a boot that began at level 1 with the power: two pairs that fit, a check that is right', () => {
    const board = planted({});
    runMs(board, MADE);
    assert.deepEqual(states(board), ['closed', ...Array<SlotState>(6).fill('blank')]);
    const slot = slots(board);
    const keys = slot.slice(AT.keys, AT.check);
    const part = (index: number): Uint8Array => keys.slice(32 * index, 32 * index + 32);
    assert.deepEqual(nacl.scalarMult.base(part(0)), part(1));
    assert.deepEqual(nacl.scalarMult.base(part(2)), part(3));
    assert.deepEqual(sha512(part(1), part(3)).slice(0, 8), slot.slice(AT.check, AT.closed));
    assert.equal(new Set([0, 1, 2, 3, 4].map((index) => Buffer.from(part(index)).toString('hex'))).size, 5);
  });

  it('k is what the vendor derives, for each of his keys that seals files, in the order of the config; zero otherwise', () => {
    const vendors = [31, 32, 33].map((seed) => nacl.box.keyPair.fromSecretKey(seededRandom(seed).bytes(32)));
    const roles = [['sessions'], ['sessions', 'files'], ['files', 'spare']] as const;
    const keys = vendors.map(({ publicKey }, i) => ({ publicKey, roles: roles[i]! }));
    const board = planted({ config: { keys } });
    runMs(board, MADE_WITH_FILES);
    const slot = slots(board);
    const devicePublic = slot.slice(AT.keys + 96, AT.tags);
    const uid = uidOf(board);
    const expected = vendors.map(({ publicKey, secretKey }, i) =>
      i === 0
        ? new Uint8Array(32)
        : entryTagKey(nacl.scalarMult(secretKey, devicePublic), { filesPublic: publicKey, devicePublic, uid }),
    );
    assert.deepEqual(slot.slice(AT.tags, AT.check), concat(...expected, new Uint8Array(32)));
  });

  it('are made once: the next boots leave flash as it is', () => {
    const board = planted({});
    runMs(board, MADE);
    const before = board.flash.bytes.slice();
    for (let i = 0; i < 2; i++) {
      board.powerOff();
      board.powerOn();
      runMs(board, MADE);
    }
    assert.deepEqual(board.flash.bytes, before);
  });

  it('are other ones on another chip', () => {
    const made = [1, 2].map((seed) => {
      const board = planted({}, { ...LOCKED, seed });
      runMs(board, MADE);
      return Buffer.from(slots(board).subarray(AT.keys, AT.keys + 32)).toString('hex');
    });
    assert.equal(new Set(made).size, 2);
  });

  const none = (board: Board): void => {
    runMs(board, MADE);
    assert.deepEqual(states(board), Array(SLOTS).fill('blank'));
  };

  it('are not made on a chip that is not locked', () => none(planted({}, { rdp: 0 })));

  it('are not made after another reset than that of the power', () => {
    const board = planted({}, { rdp: 0 });
    runMs(board, MADE);
    board.options.rdpLevel = 1;
    board.pressButton();
    runMs(board, 1);
    board.releaseButton();
    none(board);
  });

  it('are not made when the button was pressed before boot came to the installer', () => {
    const board = planted({});
    board.runTo(board.time.now + 1e6);
    board.pressButton();
    runMs(board, 1);
    board.releaseButton();
    none(board);
  });

  it('are not made with what a debugger asked of the chip in DBGMCU_CR', () => {
    const asked = planted({});
    asked.bus.write(0xe0042004, 7, 4, 'debugger');
    none(asked);
  });

  it('are not made while a debugger, breakpoints or trace are on', () => {
    const registers = { debug: [0xe000edf0, 0xa05f0001], breakpoints: [0xe0002000, 3], trace: [0xe000edfc, 1 << 24] };
    for (const [address, value] of Object.values(registers)) {
      const board = new Board({ ...LOCKED, flash: plantedFlash() });
      board.powerOn();
      board.runTo(board.time.now + 1e6);
      board.bus.write(address!, value!, 4, 'debugger');
      runMs(board, MADE);
      assert.deepEqual(states(board), Array(SLOTS).fill('blank'), address!.toString(16));
    }
  });

  it('a slot that was not closed becomes zero, and the next blank one is taken', () => {
    const wrong = madeSlot(2);
    wrong[AT.keys + 39]! ^= 1;
    const board = planted({ slots: concat(openSlot(1), wrong) });
    runMs(board, MADE);
    assert.deepEqual(states(board).slice(0, 4), ['zero', 'zero', 'closed', 'blank']);
  });

  it('a slot that is closed and whole is kept, whatever comes before it', () => {
    const board = planted({ slots: concat(new Uint8Array(SLOT), madeSlot(3)) });
    const before = board.flash.bytes.slice();
    runMs(board, MADE);
    assert.deepEqual(board.flash.bytes, before);
  });

  it('a later start reads no secret, whatever it found: neither of good keys nor of what it zeroes', () => {
    for (const debug of [false, true]) {
      const made = watched(concat(new Uint8Array(SLOT), madeSlot(3)), debug);
      assert.deepEqual(made.read, []);
      const torn = watched(concat(openSlot(1), madeSlot(3), openSlot(2)), debug);
      assert.ok(
        torn.read.every((value) => value === 0),
        'read back as zeroed, and not before',
      );
      assert.deepEqual(states(torn.board).slice(0, 4), ['zero', 'closed', 'zero', 'blank']);
    }
  });

  it('one wrong read of a good slot costs nothing', () => {
    for (const at of [AT.begun, AT.keys + 32, AT.keys + 96, AT.check, AT.closed]) {
      const board = new Board({ ...LOCKED, flash: plantedFlash({ slots: madeSlot(3) }) });
      const before = board.flash.bytes.slice();
      const { bus } = board;
      const end = bus.watch(LOADER_MAP.slots, LOADER_MAP.slots + SLOT, () => {});
      const read = bus.read.bind(bus);
      let wrong = 1;
      bus.read = (address, width, master) =>
        read(address, width, master) ^ (address === LOADER_MAP.slots + at && wrong-- > 0 ? 1 : 0);
      board.powerOn();
      runMs(board, MADE);
      assert.ok(wrong <= 0, `${at} was read`);
      assert.deepEqual(board.flash.bytes, before);
      end();
    }
  });

  it('with all slots used up, none is made and nothing is written', () => {
    const board = planted({ slots: new Uint8Array(SLOT * SLOTS) });
    const before = board.flash.bytes.slice();
    runMs(board, MADE);
    assert.deepEqual(board.flash.bytes, before);
  });

  it('nothing of them is left in SRAM, CCM or registers', () => {
    const board = planted({});
    runMs(board, MADE);
    const slot = slots(board);
    const secrets = SECRETS.slice(0, 3).map((at) => slot.slice(at, at + 32));
    for (const { base, bytes } of board.soc.memories.ram) {
      for (const secret of secrets) {
        for (let at = 0; at < 32; at += 8) {
          const found = Buffer.from(bytes).indexOf(Buffer.from(secret.subarray(at, at + 8)));
          assert.equal(found, -1, `0x${(base + found).toString(16)}`);
        }
      }
    }
    assert.ok(board.core.regs[15]! >= SRAM);
  });
});

describe('loader: keys and power cuts', () => {
  /** Start and end of every flash operation of the making. */
  function operations(options: BoardOptions = LOCKED): FlashJournalEntry[] {
    const board = planted({}, options);
    const entries: FlashJournalEntry[] = [];
    board.flash.onOperation = (entry) => void entries.push(entry);
    runMs(board, MADE);
    return entries;
  }
  const entries = operations();

  it('touches the slot alone, the begun word first and the closed one last', () => {
    const addresses = entries.map(({ address }) => address!);
    assert.ok(entries.every(({ kind }) => kind === 'program'));
    assert.ok(addresses.every((at) => at >= LOADER_MAP.slots && at < LOADER_MAP.slots + USED));
    assert.equal(addresses[0], LOADER_MAP.slots + AT.begun);
    assert.equal(addresses.at(-1), LOADER_MAP.slots + AT.closed);
  });

  it('cut at a boundary, and once more at the next start: one slot is closed in the end, none half made', () => {
    const boundaries = entries.flatMap(({ atNs }) => [atNs - 100, atNs + 100]);
    const at = boundaries.filter((_, index) => index < 4 || index % SPARSE === 0 || index >= boundaries.length - 4);
    const board = planted({});
    for (const [index, cut] of at.entries()) {
      board.runTo(cut - 200);
      const here = board.snapshot();
      board.flash.restore({ ...(board.flash.snapshot() as object), random: randomState(index, 'power cut') });
      board.cutPowerAt(cut);
      board.runTo(cut + 1000);
      if (index % 3 === 0) {
        board.powerOn();
        runMs(board, 40 + index);
        board.powerOff();
      }
      board.powerOn();
      runMs(board, MADE);
      const after = states(board);
      assert.equal(after.filter((state) => state === 'closed').length, 1, `${cut}: ${after.join(' ')}`);
      assert.ok(!after.includes('open'), `${cut}: ${after.join(' ')}`);
      board.restore(here);
    }
  }).timeout(CUTS_MS);
});
