// Somebody with a program in the place of a device and its loader (docs/threat-model.md): in `seeded` he has everything
// that is public and gets nothing; on the day a device is enrolled on a customer's desk he succeeds, as our words say.
import assert from 'node:assert/strict';
import { jobDevice } from '../../controller/registry/job-device.ts';
import type { JobEvent, KnownDevice } from '../../controller/job/ports.ts';
import { concat, copyOf, fromHex, toHex } from '../../shared/codec/bytes.ts';
import { exchangePublic } from '../../shared/crypto/keys.ts';
import { BOX_SIZES } from '../../shared/mailbox/layout.ts';
import { decodePlan, encodePlan, planHash } from '../../shared/plan/plan.ts';
import { modeRow } from '../../shared/plan/modes.ts';
import { MOST_EARLY_COMMANDS } from '../../controller/job/sealed-session.ts';
import { decodeCommand, encodeReply } from '../../shared/sealed/messages.ts';
import { encodeStubFacts } from '../../shared/sealed/payloads.ts';
import { CHIP_KEY_OFFSETS, SEALED_SUITES } from '../../shared/sealed/protocol.ts';
import { SERIAL_LINE } from '../../shared/tunnel/bodies.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';
import { DeviceFixture, LOADER_HASH, UID } from '../fixtures/devices.ts';
import { imageOf } from '../fixtures/images.ts';
import { Impostor } from '../fixtures/impostor.ts';
import { startSealedInitiator, type SealedInitiator } from '../fixtures/sealed-initiator.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { IMAGE, spinning } from '../integration/loader/loader-fixture.ts';
import { TIMEOUTS } from './hostile-jobs.ts';

const OPTCR_LEVEL_1 = 0x0fff55ed;
const chip = { optcr: OPTCR_LEVEL_1, optcr1: 0x0fff0000 };
/** M1 begins with an ephemeral key and a nonce. */
const PAYLOAD_AT = 64;

function sayHello(thief: Impostor): void {
  const target = { devId: 0x419, revId: 0, uid: toHex(UID), flashKiB: 2048, rdp: 1 as const, ...chip };
  const probe = { kind: SERIAL_LINE, firmware: '', serial: 'a program', millivolts: null };
  thief.send({ name: 'HELLO', hello: { agent: '0.0.0', stubs: [LOADER_HASH], probe, target } });
}

/** What a loader would say, with whatever keys. */
function handshake(job: MessageOf<'JOB'>, suite: 'device' | 'enroll', device?: Uint8Array): SealedInitiator {
  const random = seededRandom(900);
  const facts = { uid: UID, idcode: 0x20036419, flashKiB: 2048, stubVersion: 0x0200, keyKind: 'device' as const };
  const program = [fromHex(LOADER_HASH), planHash(job.plan)] as const;
  const boot = { resetFlags: 0, debug: 0, watchers: 0 };
  return startSealedInitiator({
    suite: SEALED_SUITES[suite],
    responderPublic: exchangePublic('sealed', job.sealedPublic),
    contexts: device === undefined ? program : [...program, device],
    deviceSecret: random.bytes(32),
    ...(suite === 'enroll' && { fileSecret: random.bytes(32) }),
    facts: encodeStubFacts({ ...facts, ...chip, handshake: 1, widest: 'x32', boot }),
    random,
  });
}

/** A job for the device with a thief in its place. */
async function played(
  product: DeviceFixture,
  what: { readonly device?: KnownDevice; readonly plan: Uint8Array },
  play: (thief: Impostor, job: MessageOf<'JOB'>) => Promise<void>,
): Promise<{ thief: Impostor; error: unknown; events: JobEvent[] }> {
  const image = what.device === undefined ? undefined : IMAGE_OF_VENDOR;
  const record = product.record(image, decodePlan(what.plan));
  const events: JobEvent[] = [];
  const typeCode = (): string | undefined => thief.code;
  const controller = product.told(what.device);
  const job = product.startVendor(image, record, events, { timeouts: TIMEOUTS, typeCode, controller });
  const thief: Impostor = new Impostor(product, record.room);
  const script = async (): Promise<void> => {
    await thief.opened();
    sayHello(thief);
    const asked = await thief.expect('JOB');
    thief.send({ name: 'CONSENT', yes: true, planHash: planHash(asked.plan) });
    await play(thief, asked);
  };
  script().catch(() => {});
  let error: unknown;
  await product.queue.drive(
    job.done.then(
      () => undefined,
      (reason: unknown) => (error = reason),
    ),
    3600e9,
  );
  thief.close();
  return { thief, error, events };
}

const IMAGE_OF_VENDOR = imageOf([IMAGE, spinning(9000)]);

describe('attacks on a device with a loader', function () {
  this.timeout(120_000);

  it('seeded: an emulator that shows the key on record, and knows all that is public, gets no part of the image', async () => {
    const product = new DeviceFixture({ seed: 92 });
    assert.equal((await product.enrol('bench')).error, undefined);
    const device = await jobDevice(product.registry, toHex(UID));
    const { plan } = await product.installPlan(IMAGE_OF_VENDOR, 5);
    const { thief, error, events } = await played(product, { device, plan: encodePlan(plan) }, async (thief, job) => {
      for (;;) {
        const own = handshake(job, 'device', device.sessionKey);
        const at = PAYLOAD_AT + CHIP_KEY_OFFSETS.sessions;
        const m1 = concat(copyOf(own.m1, 0, at), device.sessionKey);
        thief.send({ name: 'SEALED1', stubHash: fromHex(LOADER_HASH), m1 });
        await thief.expect('SEALED2');
        thief.send({ name: 'SEALED3', m3: seededRandom(901).bytes(32) });
        await thief.expect('RESTART');
      }
    });
    assert.equal((error as { code?: string }).code, 'BF-STUB-AUTHENTICATION');
    const frames = thief.received.flatMap((message) => (message.name === 'FRAME' ? [message] : []));
    assert.ok(
      frames.every(({ box }) => box.length === BOX_SIZES.command),
      'no box has the size of an image',
    );
    assert.ok(frames.length <= 4 * MOST_EARLY_COMMANDS);
    assert.ok(!events.some(({ type }) => type === 'sealed' || type === 'receipt'));
    assert.ok(modeRow('seeded').stops.some((text) => text.includes('pretending to be a chip')));
  });

  it('lock-then-load: an emulator that is there on the day of the enrolment is enrolled, as the words say', async () => {
    const product = new DeviceFixture({ seed: 93 });
    const plan = encodePlan(product.enrolPlan('customer'));
    let shown = '';
    const { error } = await played(product, { plan }, async (thief, job) => {
      const own = handshake(job, 'enroll');
      shown = toHex(copyOf(own.m1, PAYLOAD_AT + CHIP_KEY_OFFSETS.sessions, PAYLOAD_AT + CHIP_KEY_OFFSETS.files));
      thief.send({ name: 'SEALED1', stubHash: fromHex(LOADER_HASH), m1: own.m1 });
      const { m3, result } = own.receiveM2((await thief.expect('SEALED2')).m2);
      thief.send({ name: 'SEALED3', m3 });
      thief.send({ name: 'CREDIT', upTo: 8 });
      const frame = await thief.expect('FRAME');
      assert.equal(decodeCommand(result.session.open(frame.box)).name, 'END');
      const chipTimes = { erase: 0, program: 0, check: 0 };
      const reply = encodeReply({ name: 'ENDED', answers: frame.sequence, wordsProgrammed: 0, chipTimes });
      thief.send({ name: 'REPLY', ...result.session.seal(reply) });
      await thief.expect('BYE');
      thief.send({ name: 'LEFT', left: { board: 'untouched' } });
    });
    assert.equal(error, undefined);
    const device = await product.registry.device(toHex(UID));
    assert.deepEqual([device.keys?.sessionKey, device.place], [shown, 'customer']);
    assert.match(modeRow('lock-then-load').doesNotStop[0]!, /emulator .* on the day the loader was planted/);
  });
});
