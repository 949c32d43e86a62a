// Frames that are authentic but not allowed, frames that are damaged, forged, repeated or out of turn
// (docs/protocol.md §5, §8, §9).
import assert from 'node:assert/strict';
import { encodeCommand, type Command } from '../../../shared/sealed/messages.ts';
import type { Plan } from '../../../shared/plan/plan.ts';
import type { FirmwareFixture } from './firmware-fixture.ts';
import { active, FLASH, SampleImage, sendImage, smallPlan, writeAll } from './sample-jobs.ts';
import type { SealedController } from './sealed-controller.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

const OUTSIDE = 8;
const ORDER = 9;
const DIFFERS = 12;
const BLANK = 13;
const MALFORMED = 21;

const plan: Plan = smallPlan({
  sectors: [0, 1],
  ranges: [
    { address: FLASH, length: 0x2000, use: 'program' },
    { address: FLASH + 0x4000, length: 0x1000, use: 'program' },
    { address: FLASH + 0x8000, length: 0x1000, use: 'digest' },
  ],
});
const erase = (sector: number): Command => ({ name: 'ERASE', sector });
const image = (address: number, length = 4): Command => ({
  name: 'IMAGE',
  address,
  data: new Uint8Array(length).fill(0x5a),
});
const BOTH = [erase(0), erase(1)];

/** An IMAGE plaintext with any fields. */
function rawImage(count: number, address: number, change: (bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(4048);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint16(2, count, true);
  view.setUint32(4, address, true);
  bytes.fill(0x11, 16, 16 + Math.min(count, 4032));
  change(bytes);
  return bytes;
}
function rawCommand(kind: number, change: (bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(176);
  bytes[0] = kind;
  change(bytes);
  return bytes;
}
const digest = (first: number, count: number) => rawCommand(3, (bytes) => bytes.set([first, count], 1));
const at = (index: number) => (bytes: Uint8Array) => void (bytes[index] = 1);

type Case = readonly [
  what: string,
  before: readonly Command[],
  frame: Command | Uint8Array,
  error: number,
  detail?: number,
];

const HOSTILE: readonly Case[] = [
  ['IMAGE before its sector is erased', [], image(FLASH + 64), ORDER, 1],
  ['another sector before that of the boot words', [], erase(1), ORDER, 2],
  ['a sector not in the plan', [], erase(2), OUTSIDE, 2],
  ['sector 24', [], erase(24), OUTSIDE, 24],
  ['sector 32, which a shift would make 0', [], erase(32), OUTSIDE, 32],
  ['sector 255', [], erase(255), OUTSIDE, 255],
  ['the same sector twice', [erase(0)], erase(0), ORDER, 2],
  ['IMAGE into a sector not erased in this session', [erase(0)], image(FLASH + 0x4000), ORDER, 1],
  ['IMAGE behind the range', BOTH, image(FLASH + 0x2000), OUTSIDE, FLASH + 0x2000],
  ['IMAGE across the end of the range', BOTH, image(FLASH + 0x1ffc, 8), OUTSIDE, FLASH + 0x1ffc],
  ['IMAGE in a digest-only range', BOTH, image(FLASH + 0x8000), OUTSIDE],
  ['IMAGE at address 0', BOTH, rawImage(8, 0), OUTSIDE, 0],
  ['IMAGE that wraps', BOTH, rawImage(8, 0xfffffffc), OUTSIDE, 0xfffffffc],
  ['IMAGE into OTP', BOTH, rawImage(8, 0x1fff7800), OUTSIDE],
  ['IMAGE into option bytes', BOTH, rawImage(16, 0x1fffc000), OUTSIDE],
  ['IMAGE into the stub', BOTH, rawImage(8, 0x20000000), OUTSIDE],
  ['IMAGE into private memory', BOTH, rawImage(8, 0x10000000), OUTSIDE],
  ['IMAGE into the flash registers', BOTH, rawImage(4, 0x40023c14), OUTSIDE],
  ['the first boot word', BOTH, image(FLASH), OUTSIDE, FLASH],
  ['the last boot word', BOTH, image(FLASH + 60), OUTSIDE, FLASH + 60],
  ['a span over the boot words', BOTH, image(FLASH, 4032), OUTSIDE, FLASH],
  ['the same address again', [...BOTH, image(FLASH + 64)], image(FLASH + 64), ORDER, 1],
  ['a lower address', [...BOTH, image(FLASH + 0x4000)], image(FLASH + 64), ORDER, 1],
  ['a count of 0', BOTH, rawImage(0, FLASH + 64), MALFORMED, 1],
  ['a count of 6', BOTH, rawImage(6, FLASH + 64), MALFORMED, 1],
  ['a count of 4036', BOTH, rawImage(4036, FLASH + 64), MALFORMED, 1],
  ['a count of 65532', BOTH, rawImage(65532, FLASH + 64), MALFORMED, 1],
  ['an odd address', BOTH, rawImage(4, FLASH + 66), MALFORMED, 1],
  ['a set byte behind the image', BOTH, rawImage(8, FLASH + 64, at(24)), MALFORMED, 1],
  ['a set last byte', BOTH, rawImage(8, FLASH + 64, at(4047)), MALFORMED, 1],
  ['a count of 164 in a short IMAGE', BOTH, rawImage(164, FLASH + 64).slice(0, 176), MALFORMED, 1],
  ['a set last byte of a short IMAGE', BOTH, rawImage(8, FLASH + 64, at(175)).slice(0, 176), MALFORMED, 1],
  ['a set reserved byte of IMAGE', BOTH, rawImage(8, FLASH + 64, at(9)), MALFORMED, 1],
  ['DIGEST of range 3', [], digest(3, 1), OUTSIDE, 3],
  ['DIGEST of range 255', [], digest(255, 1), OUTSIDE, 255],
  ['DIGEST of no range', [], digest(1, 0), OUTSIDE, 1],
  ['DIGEST past the last range', [], digest(1, 3), OUTSIDE, 1],
  ['DIGEST whose end a byte would wrap', [], digest(2, 255), OUTSIDE, 2],
  ['DIGEST with a set reserved byte', [], rawCommand(3, at(15)), MALFORMED, 3],
  ['DIGEST with a set byte behind the root', [], rawCommand(3, at(80)), MALFORMED, 3],
  ['FINAL before anything is erased', [], rawCommand(4), ORDER, 4],
  ['FINAL with another root', BOTH, rawCommand(4, at(16)), DIFFERS],
  ['FINAL with a set reserved byte', BOTH, rawCommand(4, at(15)), MALFORMED, 4],
  ['FINAL with a set byte at its end', BOTH, rawCommand(4, at(175)), MALFORMED, 4],
  ['LOCK before WRITTEN', [], { name: 'LOCK' }, ORDER, 5],
  ['END before WRITTEN', [], { name: 'END' }, ORDER, 6],
  ['kind 0', [], rawCommand(0), MALFORMED, 0],
  ['kind 8', [], rawCommand(8), MALFORMED, 8],
  ['a reply as a command', [], rawCommand(0x82), MALFORMED, 0x82],
  ['IMAGE in a command frame', BOTH, rawCommand(1), MALFORMED, 1],
  ['PING in an image frame', [], rawImage(4, 0, (bytes) => bytes.fill(0).fill(7, 0, 1)), MALFORMED, 7],
  ['PING with a set byte', [], rawCommand(7, at(1)), MALFORMED, 7],
  ['ERASE with a flag that is none', [], rawCommand(2, (bytes) => void (bytes[2] = 2)), MALFORMED, 2],
  ['ERASE with a set byte', [], rawCommand(2, at(3)), MALFORMED, 2],
  ['ERASE of all, of which the plan has two sectors', [erase(0)], erase(255), OUTSIDE, 255],
];

/** Sends the commands before (their replies fetched), then the frame, and returns the ABORT. */
function provoke(
  fixture: FirmwareFixture,
  controller: SealedController,
  before: readonly Command[],
  frame: Command | Uint8Array,
) {
  for (const command of before) {
    controller.send(command);
    if (command.name === 'ERASE') controller.reply();
  }
  const plaintext = frame instanceof Uint8Array ? frame : encodeCommand(frame);
  const sequence = controller.sendPlain(plaintext);
  const reply = controller.reply();
  fixture.runUntil(() => fixture.state === 'aborted', 100, 'aborted');
  return { reply, sequence };
}

const bootWordsBlank = ({ board }: FirmwareFixture) => board.flash.bytes.subarray(0, 64).every((byte) => byte === 0xff);

const ZEROS = new Uint8Array(0x200000 - 0x8000);

/** Flash above the plan's sectors still holds zeros. */
function untouched(fixture: FirmwareFixture): boolean {
  return Buffer.compare(fixture.board.flash.bytes.subarray(0x8000), ZEROS) === 0;
}

describe('stub and authentic but hostile frames', () => {
  for (const [what, before, frame, error, detail] of HOSTILE) {
    it(`ends the session at ${what}`, () => {
      const { fixture, controller } = active(plan, {}, new Uint8Array(0x200000));
      const { reply, sequence } = provoke(fixture, controller, before, frame);
      assert.equal(reply.name, 'ABORT');
      if (reply.name !== 'ABORT') throw new Error('unreachable');
      assert.equal(reply.error, error);
      assert.equal(reply.answers, sequence);
      if (detail !== undefined) assert.equal(reply.detail, detail);
      assert.deepEqual([fixture.error, fixture.detail], [reply.error, reply.detail]);
      assert.ok(untouched(fixture), 'flash outside the plan');
    });
  }

  for (const frame of [erase(1), image(FLASH + 0x100), digest(0, 1), rawCommand(4), { name: 'LOCK' }] as const) {
    it(`after WRITTEN ends the session at ${frame instanceof Uint8Array ? 'another FINAL' : frame.name}`, () => {
      const small = smallPlan({}, 256);
      const { fixture, controller } = active(small);
      writeAll(controller, small, new SampleImage(small));
      const { reply } = provoke(fixture, controller, [], frame);
      assert.equal(reply.name === 'ABORT' && reply.error, ORDER);
    });
  }
  it('sees that a gap of an erased sector is not blank', () => {
    const small = smallPlan({}, 256);
    const { fixture, controller } = active(small);
    const whole = new SampleImage(small);
    controller.ask(erase(0));
    sendImage(controller, small, whole);
    controller.settle();
    fixture.runMs(10);
    fixture.board.flash.bytes[0x3ffe] = 0xfe;
    const bootWords = whole.at(FLASH, 64).slice();
    const reply = controller.ask({ name: 'FINAL', root: whole.root(small, 'erased'), bootWords });
    assert.deepEqual(reply.name === 'ABORT' && [reply.error, reply.detail], [BLANK, FLASH + 0x3ffc]);
    assert.ok(bootWordsBlank(fixture), 'no boot word was written');
  });
  /** Writes a small image whose byte 200 loses a bit when `flip` says so; returns the answer to FINAL. */
  function withFlippedBit(flip: (fixture: FirmwareFixture) => void) {
    const small = smallPlan({}, 256);
    const { fixture, controller } = active(small);
    const whole = new SampleImage(small);
    flip(fixture);
    controller.ask(erase(0));
    sendImage(controller, small, whole);
    controller.settle();
    fixture.runMs(10);
    const bootWords = whole.at(FLASH, 64).slice();
    const reply = controller.ask({ name: 'FINAL', root: whole.root(small, 'erased'), bootWords });
    return { fixture, reply, good: whole.root(small, 'in place') };
  }
  it('sees a bit that was not programmed right, and writes no boot word', () => {
    const { fixture, reply } = withFlippedBit(({ board: { flash } }) => {
      flash.onOperation = ({ kind, phase, address }) => {
        if (kind === 'program' && phase === 'end' && address === FLASH + 200) flash.bytes[200]! ^= 4;
      };
    });
    assert.equal(reply.name === 'ABORT' && reply.error, DIFFERS);
    assert.ok(bootWordsBlank(fixture));
  });
  it('reports another root when a bit of the boot words was not programmed right', () => {
    const { reply, good } = withFlippedBit(({ board: { flash } }) => {
      flash.onOperation = ({ kind, phase, address }) => {
        if (kind === 'program' && phase === 'end' && address === FLASH + 40) flash.bytes[40]! ^= 4;
      };
    });
    assert.equal(reply.name, 'WRITTEN');
    assert.notDeepEqual(reply.name === 'WRITTEN' && reply.root, good);
  });
  it('verify takes neither ERASE nor IMAGE nor FINAL', () => {
    const verify = smallPlan({
      kind: 'verify',
      sectors: [],
      bootAddress: undefined,
      ranges: [{ address: FLASH, length: 4, use: 'digest' }],
    });
    for (const frame of [encodeCommand(erase(0)), rawImage(4, FLASH), rawCommand(4)]) {
      const { fixture, controller } = active(verify);
      const { reply } = provoke(fixture, controller, [], frame);
      assert.equal(reply.name === 'ABORT' && reply.error, frame[0] === 2 ? OUTSIDE + 1 : ORDER);
    }
  });
  it('whatever an authentic controller sends, nothing outside the plan changes', () => {
    const random = seededRandom(2024);
    const pick = (list: readonly number[]) => list[random.bytes(1)[0]! % list.length]!;
    for (let round = 0; round < 25; round++) {
      const { fixture, controller } = active(plan, {}, new Uint8Array(0x200000));
      controller.ask(erase(0));
      for (let i = 0; i < 6 && fixture.state === 'active'; i++) {
        const address = pick([
          FLASH + 64,
          FLASH + 0x1ff0,
          FLASH + 0x4000,
          0x080ffffc,
          0x1fff7800,
          0x40023c10,
          0xfffffff0,
          0x20000000,
        ]);
        const frame =
          pick([0, 0, 0, 1]) === 0
            ? rawImage(pick([4, 16, 4032, 4036]), address + pick([0, 0, 4, 2]))
            : rawCommand(pick([2, 3, 4]), (b) => b.set(random.bytes(3), 1));
        controller.sendPlain(frame);
        fixture.runMs(30);
      }
      const { bytes } = fixture.board.flash;
      assert.ok(untouched(fixture), `round ${round}`);
      assert.ok(
        bytes.subarray(0, 64).every((byte) => byte === 0xff),
        `boot words, round ${round}`,
      );
      assert.equal(fixture.word(0x40023c14), 0x0fffaaed);
      assert.notEqual(fixture.state, 'fault');
    }
  });
});

describe('stub and the slots', () => {
  it('asks again for a damaged box, takes the rewritten one, and goes on', () => {
    const { fixture, controller } = active();
    const { box, sequence } = controller.session.seal(encodeCommand({ name: 'PING' }));
    controller.place(box, sequence, (slot) => void (slot[50]! ^= 1));
    fixture.runUntil(() => fixture.status.nak, 100, 'NAK');
    assert.equal(fixture.status.accepted, 0);
    fixture.runMs(350);
    assert.equal(fixture.state, 'active', 'a wire error ends nothing');
    controller.place(box, sequence);
    assert.equal(controller.reply().name, 'PONG');
    assert.equal(fixture.status.nak, false);
    assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
  });
  for (const [what, offset, value] of [
    ['length of 0', 16, 0],
    ['length of 4096', 16, 4096],
    ['length that wraps', 16, 0xfffffff0],
    ['CRC', 12, 1],
    ['set reserved word', 8, 1],
  ] as const) {
    it(`asks again for a slot with a wrong ${what}`, () => {
      const { fixture, controller } = active();
      const { box, sequence } = controller.session.seal(encodeCommand({ name: 'PING' }));
      controller.place(box, sequence, (slot) => new DataView(slot.buffer).setUint32(slot.length - offset, value, true));
      fixture.runUntil(() => fixture.status.nak, 100, 'NAK');
      controller.place(box, sequence);
      assert.equal(controller.reply().name, 'PONG');
    });
  }
  it('leaves a slot with another number alone', () => {
    const { fixture, controller } = active();
    controller.place(new Uint8Array(192), 2);
    controller.place(new Uint8Array(192), 1, (slot) => new DataView(slot.buffer).setUint32(slot.length - 4, 41, true));
    fixture.runMs(300);
    assert.deepEqual([fixture.state, fixture.status.accepted, fixture.status.nak], ['active', 0, false]);
  });
  it('answers a repeated frame with nothing', () => {
    const { fixture, controller } = active();
    const { box, sequence } = controller.session.seal(encodeCommand({ name: 'PING' }));
    controller.place(box, sequence);
    controller.reply();
    controller.place(box, sequence);
    fixture.runMs(300);
    assert.deepEqual([fixture.state, fixture.status.accepted, fixture.status.reply], ['active', 1, 1]);
  });
  it('a repeated frame under the next number does not open, and the session is dead', () => {
    const { fixture, controller } = active();
    const { box, sequence } = controller.session.seal(encodeCommand({ name: 'PING' }));
    controller.place(box, sequence);
    controller.reply();
    controller.place(box, sequence + 1);
    const reply = controller.reply();
    assert.deepEqual(reply.name === 'ABORT' && [reply.error, reply.detail], [7, 2]);
    fixture.runUntil(() => fixture.state === 'aborted', 10, 'aborted');
    const good = controller.session.seal(encodeCommand({ name: 'PING' }));
    controller.place(good.box, good.sequence + 1);
    fixture.runMs(300);
    assert.equal(fixture.status.reply, 2, 'dead means dead');
  });
  it('a tampered box with a right CRC ends the session before anything else', () => {
    for (const byte of [0, 15, 16, 191]) {
      const { fixture, controller } = active();
      const { box, sequence } = controller.session.seal(encodeCommand({ name: 'PING' }));
      const bad = box.slice();
      bad[byte]! ^= 0x80;
      controller.place(bad, sequence);
      fixture.runUntil(() => fixture.state === 'aborted', 100, 'aborted');
      assert.deepEqual([fixture.error, fixture.detail], [7, 1]);
    }
  });
  it('makes three handshakes after failed boxes, not four', () => {
    const { fixture, controller } = active();
    for (let i = 0; i < 4; i++) {
      controller.place(new Uint8Array(192), 1);
      fixture.runUntil(() => fixture.state === 'aborted', 100, 'aborted');
      fixture.commandTo('handshake', i < 3 ? 'offered' : 'refused');
      if (i < 3) controller.shake();
    }
    assert.equal(fixture.error, 19);
  });
  it('writes no reply over one that was not fetched', () => {
    const { fixture, controller } = active();
    for (let i = 0; i < 20; i++) controller.send({ name: 'PING' });
    fixture.runMs(300);
    assert.equal(fixture.status.reply, 16);
    assert.equal(fixture.status.accepted, 16);
    for (let i = 0; i < 20; i++) assert.equal(controller.reply().answers, i + 1);
  });
  it('copies a frame before it looks: a slot changed meanwhile changes nothing', () => {
    const { fixture, controller } = active();
    controller.send(erase(0));
    controller.send({ name: 'PING' });
    fixture.runMs(20);
    fixture.write(0x20005000 + 2 * 4096 + 4096 - 16 - 192, new Uint8Array(192));
    assert.equal(controller.reply().name, 'ERASED');
    assert.equal(controller.reply().name, 'PONG');
  });
  it('expires after the idle limit, tells the controller, and shakes hands again', () => {
    const { fixture, controller } = active(smallPlan({ idleLimitMs: 1000 }));
    fixture.runMs(700);
    controller.ask({ name: 'PING' });
    fixture.runMs(900);
    assert.equal(fixture.state, 'active', 'a frame is a sign of life');
    const reply = controller.reply();
    assert.equal(reply.name === 'ABORT' && reply.error, 15);
    fixture.runUntil(() => fixture.state === 'expired', 10, 'expired');
    fixture.commandTo('handshake', 'offered');
    controller.shake();
    assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
  });
  it('does not expire during an erase longer than the idle limit', () => {
    const long = smallPlan({
      idleLimitMs: 1000,
      sectors: [5],
      kind: 'erase',
      bootAddress: undefined,
      ranges: [],
      widest: 'x8',
    });
    const { controller } = active(long);
    assert.equal(controller.ask(erase(5)).name, 'ERASED');
  });
  for (const [what, stop, error, state] of [
    ['agent', (fixture: FirmwareFixture) => fixture.command('abort'), 16, 'expired'],
    ['controller', (_: FirmwareFixture, peer: SealedController) => void peer.send({ name: 'ABORT' }), 17, 'aborted'],
  ] as const) {
    it(`tells the controller, sealed, that the ${what} asked to stop`, () => {
      const { fixture, controller } = active();
      stop(fixture, controller);
      const reply = controller.reply();
      assert.equal(reply.name === 'ABORT' && reply.error, error);
      fixture.runUntil(() => fixture.state === state, 10, state);
    });
  }
});
