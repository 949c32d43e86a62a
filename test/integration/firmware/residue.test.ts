// What a session leaves in the core: registers and stack after every ending hold nothing that was secret, nor anything
// that depends on it; a fault keeps no register of the code it struck; a power cut keeps nothing, a reset only until
// the next stub's entry.
import assert from 'node:assert/strict';
import { controlAddress, COMMAND_RING } from '../../fixtures/f42x.ts';
import type { FirmwareFixture } from './firmware-fixture.ts';
import {
  busy,
  busyErasing,
  CCM,
  end,
  ENDINGS,
  found,
  memory,
  plan,
  SRAM,
  type Busy,
  type Ending,
} from './session-endings.ts';
import { sendImage } from './sample-jobs.ts';
import { chipKey, transcriptHash } from './session-secrets.ts';

const DHCSR = 0xe000edf0;
const HALT = 0xa05f0003;
const GO = 0xa05f0001;
const STEP = 0xa05f0005;
/** C_MASKINTS: no tick between two steps. */
const MASKED = 8;
/** Steps that are more than a turn of any loop the stub rests in. */
const LOOP = 64;
const DCRSR = 0xe000edf4;
const DCRDR = 0xe000edf8;
const CPACR = 0xe000ed88;
const XPSR = 16;
/** r0-r12, lr; S0-S31 and FPSCR as DCRSR numbers them. */
const GENERAL = [...Array(13).keys(), 14];
const FLOATING = [0x21, ...Array.from({ length: 32 }, (_, i) => 0x40 + i)];
const STACK = { base: 0x1000e000, size: 0x2000 };

function halted(fixture: FirmwareFixture): FirmwareFixture {
  fixture.setWord(DHCSR, HALT);
  fixture.runMs(0.01);
  return fixture;
}
function register(fixture: FirmwareFixture, number: number): number {
  fixture.setWord(DCRSR, number);
  return fixture.word(DCRDR);
}
function setRegister(fixture: FirmwareFixture, number: number, value: number): void {
  fixture.setWord(DCRDR, value);
  fixture.setWord(DCRSR, 0x10000 | number);
}
const hex = (value: number) => `0x${value.toString(16)}`;
const registers = (fixture: FirmwareFixture, numbers: readonly number[]) =>
  numbers.map((number) => register(fixture, number));

/** All words of some byte strings, at every byte. */
function wordsOf(strings: readonly Uint8Array[]): Set<number> {
  const words = new Set<number>();
  for (const bytes of strings) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 4 <= bytes.length; at++) words.add(view.getUint32(at, true));
  }
  return words;
}

/** What everybody on the way may see of a handshake. */
function publicWords({ fixture, controller }: Busy): Set<number> {
  const control = fixture.read(controlAddress('M1'), controlAddress('STUB_HASH') - controlAddress('M1'));
  return wordsOf([control, transcriptHash(fixture, controller)]);
}

/** The last words of every slot of commands, as the agent wrote them: length, sequence and CRC of an open box. */
function trailerWords(fixture: FirmwareFixture): Set<number> {
  const { address, slots, slotSize } = COMMAND_RING;
  const trailers = Array.from({ length: slots }, (_, slot) => fixture.read(address + (slot + 1) * slotSize - 16, 16));
  return wordsOf(trailers);
}

/** More cycles than any of these tests takes, for a moment is no secret. */
const CYCLES = 0x08000000;
const within = (value: number, from: number, to: number) => value >= from && value < to;

/**
 * ICSR in the fault state, shifted as its loop shifts it, when the flash interrupt (4) came
 * meanwhile: that is a moment, too.
 */
const FLASH_PENDING = ((1 << 22) | ((16 + 4) << 12) | 3) << 5;
/**
 * Addresses, counters, stacked flags and the EXC_RETURN of an interrupt: where the work stood, not what it was about.
 */
function isPlace(value: number): boolean {
  const address = within(value, 0x08000000, 0x08200000) || within(value, 0x10000000, 0x10010000);
  const flags = (value & 0x01fff000) === 0x01000000;
  return (
    address ||
    within(value, 0x20000000, 0x20030000) ||
    value < CYCLES ||
    value === FLASH_PENDING ||
    flags ||
    value >= 0xffffffe0
  );
}

/** Values each register takes while the core goes round in its loop, harmless ones left out. */
function circling(fixture: FirmwareFixture, known: ReadonlySet<number>): string[] {
  const seen = GENERAL.map(() => new Set<number>());
  fixture.setWord(DHCSR, HALT | MASKED);
  for (let i = 0; i < LOOP; i++) {
    fixture.setWord(DHCSR, STEP | MASKED);
    fixture.runMs(0.001);
    registers(fixture, GENERAL).forEach((value, at) => isPlace(value) || known.has(value) || seen[at]!.add(value));
  }
  return seen.map((values, at) => `r${GENERAL[at]!}: ${[...values].sort().map(hex).join(' ')}`);
}

/** What is at rest after an ending that could depend on the session. */
interface Residue {
  readonly registers: readonly string[];
  /** Words of the stack, harmless ones left out. */
  readonly stack: readonly string[];
  readonly floating: readonly number[];
}

function residueOf(seed: number, ending: Ending): Residue {
  const all = busyProgramming(seed);
  const known = publicWords(all);
  end(all, ending);
  const { fixture } = all;
  halted(fixture);
  for (const word of trailerWords(fixture)) known.add(word);
  const bytes = memory(fixture, STACK);
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i));
  const stack = words.map(
    (word, i) => `${hex(STACK.base + 4 * i)}: ${known.has(word) || isPlace(word) ? 'harmless' : hex(word)}`,
  );
  const floating = registers(fixture, FLOATING);
  assert.equal(fixture.word(CPACR), 0, 'the FPU was never on');
  return { stack, floating, registers: circling(fixture, known) };
}

/** Programming under way: keys, keystream and plaintext have just been in the registers. */
function busyProgramming(seed?: number): Busy {
  const all = busyErasing(seed);
  all.fixture.runUntil(() => all.fixture.control('WORDS') > 100, 1000, 'programming');
  return all;
}

describe('stub residue', () => {
  // Another handshake has keys of its own on the stack; that nothing of the old session is
  // left, wipe.test.ts looks for.
  for (const ending of ENDINGS.filter(({ state }) => state !== 'offered')) {
    it(`no register and no word of the stack depends on the secrets when ${ending.what}`, () => {
      assert.deepEqual(residueOf(1, ending), residueOf(2, ending));
    });
  }
  it('a fault keeps no register of the code it struck, in the core or in memory', () => {
    for (let instant = 0; instant < 24; instant++) {
      const { fixture } = busyProgramming();
      fixture.runMs(0.37 * instant);
      halted(fixture);
      const marks = GENERAL.map((number) => 0xc0de0000 + number * 0x101);
      GENERAL.forEach((number, i) => setRegister(fixture, number, marks[i]!));
      setRegister(fixture, XPSR, register(fixture, XPSR) & ~0x01000000);
      fixture.setWord(DHCSR, GO);
      fixture.runUntil(() => fixture.state === 'fault', 10, 'fault');
      fixture.runMs(1);
      const seen = registers(halted(fixture), GENERAL);
      assert.deepEqual(
        seen.filter((value) => marks.includes(value)),
        [],
        `registers at instant ${instant}`,
      );
      for (const where of [CCM, SRAM]) {
        const all = memory(fixture, where);
        for (const mark of marks) {
          const bytes = Buffer.alloc(4);
          bytes.writeUInt32LE(mark);
          assert.equal(all.indexOf(bytes), -1, `${hex(mark)} at ${hex(where.base)}, at instant ${instant}`);
        }
      }
    }
  });
  it('a power cut in the middle leaves neither memory nor registers', () => {
    const { fixture, secrets: session } = busyProgramming();
    const secrets = { ...session, d: chipKey(fixture).secret };
    fixture.board.powerOff();
    fixture.board.powerOn();
    fixture.runMs(2);
    for (const where of [CCM, SRAM]) assert.deepEqual(found(memory(fixture, where), secrets), []);
    const seen = wordsOf(Object.values(secrets));
    assert.deepEqual(
      registers(halted(fixture), GENERAL).filter((value) => value !== 0 && seen.has(value)),
      [],
    );
  });
  it('a reset in the middle leaves keys in CCM, and the next stub clears it before it says a word', () => {
    const { fixture, secrets: session, controller, image } = busy();
    const secrets = { ...session, d: chipKey(fixture).secret };
    sendImage(controller, plan, image);
    fixture.board.assertNrst();
    fixture.board.releaseNrst();
    fixture.runMs(1);
    assert.notDeepEqual(found(memory(fixture, CCM), secrets), [], 'a reset alone clears nothing');
    fixture.start();
    fixture.runUntil(() => fixture.control('VERSION') !== 0, 10, 'first word');
    assert.deepEqual(found(memory(fixture, CCM), secrets), []);
  });
});
