// A vendor with all keys and no good intentions (docs/threat-model.md): what is authentic is still held against the
// plan, and there is no way around the stub.
import assert from 'node:assert/strict';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { decodePlan, encodePlan } from '../../shared/plan/plan.ts';
import { encodeCommand, type Command } from '../../shared/sealed/messages.ts';
import { decodeMessage } from '../../shared/tunnel/messages.ts';
import { FLASH, FLASH_BYTES } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { FirmwareFixture } from '../integration/firmware/firmware-fixture.ts';
import { active, smallPlan } from '../integration/firmware/sample-jobs.ts';
import { SealedController } from '../integration/firmware/sealed-controller.ts';

const held = seededRandom(1).bytes(FLASH_BYTES);

describe('a hostile vendor', function () {
  this.timeout(60_000);

  const OUTSIDE: Readonly<Record<string, Command>> = {
    'a digest of a range that is not in the plan': { name: 'DIGEST', first: 1, count: 1, expected: new Uint8Array(64) },
    'a sector that is not in the plan': { name: 'ERASE', sector: 1 },
    'a sector no chip has': { name: 'ERASE', sector: 200 },
    'the word behind the range': { name: 'IMAGE', address: FLASH + 8192, data: new Uint8Array(4) },
    'a frame across the end of the range': { name: 'IMAGE', address: FLASH + 8188, data: new Uint8Array(8) },
    'the boot words': { name: 'IMAGE', address: FLASH, data: new Uint8Array(64) },
    SRAM: { name: 'IMAGE', address: 0x20000000, data: new Uint8Array(64) },
    CCM: { name: 'IMAGE', address: 0x10000000, data: new Uint8Array(64) },
    OTP: { name: 'IMAGE', address: 0x1fff7800, data: new Uint8Array(64) },
    'option bytes': { name: 'IMAGE', address: 0x1fffc000, data: new Uint8Array(16) },
    'the flash registers': { name: 'IMAGE', address: 0x40023c14, data: new Uint8Array(4) },
    'an address that wraps': { name: 'IMAGE', address: 0xfffffffc, data: new Uint8Array(64) },
  };
  for (const [what, command] of Object.entries(OUTSIDE)) {
    it(`authentic but outside the plan (${what}): ABORT, nothing touched`, () => {
      const { fixture, controller: vendor } = active(smallPlan());
      assert.equal(vendor.ask({ name: 'ERASE', sector: 0 }).name, 'ERASED');
      fixture.board.flash.bytes.set(held.subarray(0x4000), 0x4000);
      const before = Buffer.from(fixture.board.flash.bytes);
      const options = { ...fixture.board.options.words };
      vendor.sendPlain(encodeCommand(command));
      const reply = vendor.reply();
      assert.equal(reply.name, 'ABORT', what);
      assert.ok(reply.name === 'ABORT' && [8, 9, 21].includes(reply.error));
      assert.equal(before.compare(fixture.board.flash.bytes), 0);
      assert.deepEqual(fixture.board.options.words, options);
      fixture.runUntil(() => fixture.state !== 'active', 100, 'the state behind its sealed ABORT');
      assert.equal(fixture.state, 'aborted');
    });
  }

  it('there is no verb around the stub: six messages from a vendor, and none of them names an address', () => {
    const bodies = [0, 1, 4, 8, 64, 128, 200, 4096].map((length) => new Uint8Array(length).fill(1));
    const taken = new Set<string>();
    for (let type = 0; type < 256; type++) {
      for (const body of bodies) {
        try {
          taken.add(decodeMessage('controller', Uint8Array.from([type, ...body])).name);
        } catch (error) {
          assert.ok(isBlindflashError(error), `type ${type}`);
        }
      }
    }
    for (const name of taken) assert.ok(['ACK', 'JOB', 'SEALED2', 'FRAME', 'RESTART', 'BYE'].includes(name), name);
    assert.ok(taken.has('FRAME') && taken.has('SEALED2') && taken.has('RESTART'));
  });

  it('unknown plan fields, reserved bits and lengths: refused by agent and controller, and by the real stub', () => {
    const good = encodePlan(smallPlan());
    const changes: Readonly<Record<string, (plan: Uint8Array) => Uint8Array>> = {
      magic: (plan) => set(plan, 3, 0x31),
      'kind 99': (plan) => set(plan, 6, 99),
      'kind 0': (plan) => set(plan, 6, 0),
      'mode 9': (plan) => set(plan, 7, 9),
      'width 3': (plan) => set(plan, 40, 3),
      'lock 3': (plan) => set(plan, 41, 3),
      'final action 2': (plan) => set(plan, 42, 2),
      'a flag that is none': (plan) => set(plan, 45, 8),
      'reserved 46': (plan) => set(plan, 46, 1),
      'reserved 47': (plan) => set(plan, 47, 0x80),
      'range use 3': (plan) => set(plan, 72, 3),
      'range use with high bits': (plan) => set(plan, 75, 1),
      'four more bytes': (plan) => {
        const longer = Uint8Array.from([...plan, 0, 0, 0, 0]);
        new DataView(longer.buffer).setUint16(4, longer.length, true);
        return longer;
      },
      'label padding': (plan) => {
        const labelled = encodePlan({ ...decodePlan(plan), label: 'abc' });
        return set(labelled, labelled.length - 1, 0x20);
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      const bad = change(good.slice());
      assert.throws(
        () => decodePlan(bad),
        (error) => isBlindflashError(error),
        what,
      );
      const fixture = FirmwareFixture.booted();
      new SealedController(fixture, bad).giveJob();
      fixture.runUntil(() => fixture.state !== 'waiting', 1000, what);
      assert.equal(fixture.state, 'refused', what);
    }
  });

  it('what only a loader does is refused by the real stub: its kind of job, its modes', () => {
    const good = encodePlan(smallPlan());
    for (const [at, value] of [
      [6, 8],
      [7, 2],
      [7, 3],
    ] as const) {
      const fixture = FirmwareFixture.booted();
      new SealedController(fixture, set(good.slice(), at, value)).giveJob();
      fixture.runUntil(() => fixture.state !== 'waiting', 1000, `byte ${at}`);
      assert.equal(fixture.state, 'refused', `byte ${at} is ${value}`);
    }
  });
});

function set(bytes: Uint8Array, at: number, value: number): Uint8Array {
  bytes[at] = value;
  return bytes;
}
