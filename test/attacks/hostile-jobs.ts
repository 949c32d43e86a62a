// Jobs with somebody hostile at the customer's end, for attacks.test.ts and hostile-agent.test.ts.
import assert from 'node:assert/strict';
import { BlindflashError } from '../../shared/errors/errors.ts';
import { planHash } from '../../shared/plan/plan.ts';
import { FLASH, FLASH_BYTES, tinyImage } from '../fixtures/images.ts';
import { EmulatedStub, Impostor } from '../fixtures/impostor.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { STUBS } from '../fixtures/board.ts';
import type { ProductFixture } from '../fixtures/product.ts';
import { type RunOptions, type RunOutcome } from '../fixtures/product.ts';
import type { JobEvent } from '../../controller/job/ports.ts';

export const TIMEOUTS = {
  arrival: 60_000,
  peer: 10_000,
  hello: 10_000,
  code: 60_000,
  consent: 15_000,
  sealed: 15_000,
  work: 20_000,
  left: 5000,
  boardPause: 100,
};
export const SECTOR_0 = [[FLASH, 0x4000]] as const;
export const IMAGE = tinyImage(7, 600);
export const held = new Uint8Array(FLASH_BYTES).fill(0xff);
held.set(seededRandom(1).bytes(0x9000));
held.set(seededRandom(2).bytes(0x1000), 0x120000);
export const stub = STUBS.forChip(0x419);

export function requireUntouched(product: ProductFixture): void {
  assert.equal(Buffer.compare(product.board.flash.bytes, held), 0, 'flash was touched');
}

export function requireRefused({ agent, error, receipt }: RunOutcome, product: ProductFixture): void {
  assert.ok(error instanceof BlindflashError, `the vendor was told ${String(error)}`);
  assert.notEqual(agent.result, 'done');
  assert.equal(receipt, undefined);
  assert.deepEqual(product.receipts, []);
}

/** A job with an impostor at the customer's end. */
export async function impostorJob(
  product: ProductFixture,
  play: (thief: Impostor, events: readonly JobEvent[]) => Promise<void>,
  options: RunOptions = {},
): Promise<{ thief: Impostor; events: JobEvent[]; error: unknown; receipt: unknown }> {
  const record = product.record(
    IMAGE,
    product.planFor(IMAGE),
    options.codePolicy === undefined ? {} : { codePolicy: options.codePolicy },
  );
  const events: JobEvent[] = [];
  // Somebody who talks the vendor into typing the code on his screen, unless told otherwise.
  const typeCode = (): string | undefined => thief.code;
  const job = product.startVendor(IMAGE, record, events, { timeouts: TIMEOUTS, typeCode, ...options });
  const thief: Impostor = new Impostor(product, record.room);
  let error: unknown;
  const done = job.done.then(
    ({ receipt }) => receipt,
    (reason: unknown) => {
      error = reason;
      return undefined;
    },
  );
  const played = play(thief, events);
  played.catch(() => {});
  const receipt = await product.queue.drive(done, 3600e9);
  await product.queue.drive(Promise.race([played, new Promise<void>((r) => product.queue.after(1000, () => r()))]));
  thief.close();
  return { thief, events, error, receipt };
}

/** Says yes and plays the chip until the vendor says goodbye. */
export async function emulate(thief: Impostor): Promise<EmulatedStub> {
  await thief.opened();
  thief.hello(STUBS.hashes);
  const job = await thief.expect('JOB');
  thief.send({ name: 'CONSENT', yes: true, planHash: planHash(job.plan) });
  const chip = new EmulatedStub(job, stub.hash);
  thief.send({ name: 'SEALED1', stubHash: stub.hash, m1: chip.m1 });
  thief.send({ name: 'SEALED3', m3: chip.takeM2((await thief.expect('SEALED2')).m2) });
  thief.send({ name: 'CREDIT', upTo: 1000 });
  for (;;) {
    const message = await thief.expect('FRAME', 'BYE');
    if (message.name === 'BYE') break;
    const reply = chip.take(message.box);
    if (reply !== undefined) thief.send({ name: 'REPLY', ...reply });
  }
  thief.send({ name: 'LEFT', left: { board: 'running' } });
  return chip;
}
