// The device's keys (docs/loader.md, "Keys"): when they are made, when they are not, and what a cut leaves.
import assert from 'node:assert/strict';
import nacl from 'tweetnacl';
import { LOADER_MAP } from '../../../controller/loader/config.ts';
import { concat } from '../../../shared/codec/bytes.ts';
import { Board, type BoardOptions } from '../../../sim/board.ts';
import type { FlashJournalEntry } from '../../../sim/peripherals/flash-operation.ts';
import { randomState } from '../../../sim/peripherals/random.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { words } from '../firmware/sealed-controller.ts';
import { FLASH, LOCKED, planted, plantedFlash, runMs, sha512 } from './loader-fixture.ts';

const SLOT = 288;
const SLOTS = 7;
const USED = 176;
const AT = { begun: 0, keys: 4, check: 164, closed: 172 } as const;
const BEGUN = 0x5359454b;
const CLOSED = 0x54554853;
const ERASED = 0xffffffff;
/** Until keys are made, read back and closed, ms. */
const MADE = 60;
/** Of the boundaries of words in the middle of the keys one in so many is cut. */
const SPARSE = 40;
const CUTS_MS = 180_000;
const SRAM = 0x20000000;

const slots = (board: Board): Uint8Array =>
  board.flash.bytes.slice(LOADER_MAP.slots - FLASH, LOADER_MAP.slots - FLASH + SLOT * SLOTS);
const word = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

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
  const keys = concat(session.secretKey, session.publicKey, file.secretKey, file.publicKey, random.bytes(32));
  const slot = new Uint8Array(SLOT).fill(0xff);
  slot.set(concat(words(BEGUN), keys, sha512(keys).slice(0, 8), words(CLOSED)));
  return slot;
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
    assert.deepEqual(sha512(keys).slice(0, 8), slot.slice(AT.check, AT.closed));
    assert.equal(new Set([0, 1, 2, 3, 4].map((index) => Buffer.from(part(index)).toString('hex'))).size, 5);
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
    const open = madeSlot(1);
    open.set(words(ERASED), AT.closed);
    const wrong = madeSlot(2);
    wrong[AT.keys + 7]! ^= 1;
    const board = planted({ slots: concat(open, wrong) });
    runMs(board, MADE);
    assert.deepEqual(states(board).slice(0, 4), ['zero', 'zero', 'closed', 'blank']);
  });

  it('a slot that is closed and whole is kept, whatever comes before it', () => {
    const board = planted({ slots: concat(new Uint8Array(SLOT), madeSlot(3)) });
    const before = board.flash.bytes.slice();
    runMs(board, MADE);
    assert.deepEqual(board.flash.bytes, before);
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
    const secrets = [0, 2, 4].map((index) => slot.slice(AT.keys + 32 * index, AT.keys + 32 * index + 32));
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
