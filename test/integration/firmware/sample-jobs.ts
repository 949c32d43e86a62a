// Plans and images for the stub's tests, and the walk through a whole flash job.
import { createHash } from 'node:crypto';
import { encodePlan, type Plan, type PlanRange } from '../../../shared/plan/plan.ts';
import { rootDigest, type Command, type Reply } from '../../../shared/sealed/messages.ts';
import type { BoardOptions } from '../../../sim/board.ts';
import { FirmwareFixture } from './firmware-fixture.ts';
import { SealedController } from './sealed-controller.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { FLASH } from '../../fixtures/images.ts';
import { smallPlan } from '../../fixtures/plans.ts';

export { FLASH, smallPlan };

export const sha512 = (bytes: Uint8Array) => new Uint8Array(createHash('sha512').update(bytes).digest());

/** An image as flash shall look: `parts` of a 2 MiB array that is FF elsewhere. */
export class SampleImage {
  readonly bytes = new Uint8Array(0x200000).fill(0xff);
  constructor(plan: Plan, seed = 11) {
    const random = seededRandom(seed);
    for (const { address, length, use } of plan.ranges) {
      if (use === 'program') this.bytes.set(random.bytes(length), address - FLASH);
    }
  }
  at(address: number, length: number): Uint8Array {
    return this.bytes.subarray(address - FLASH, address - FLASH + length);
  }
  /** root over the plan's ranges with the boot words erased, which FINAL names; `in place`: what WRITTEN tells. */
  root(plan: Plan, boot: 'erased' | 'in place'): Uint8Array {
    if (plan.bootAddress === undefined) return rootOf(this.bytes, plan.ranges);
    const words = plan.bootAddress - FLASH;
    const erased = rootOf(this.bytes.slice().fill(0xff, words, words + 64), plan.ranges);
    if (boot === 'erased') return erased;
    return sha512(Buffer.concat([Buffer.from('blindflash/2 written'), erased, this.bytes.subarray(words, words + 64)]));
  }
}

/** root over ranges of a flash whose content is `bytes`. */
export function rootOf(bytes: Uint8Array, ranges: readonly PlanRange[]): Uint8Array {
  const digested = ranges.map(({ address, length }) => ({
    address,
    length,
    digest: sha512(bytes.subarray(address - FLASH, address - FLASH + length)),
  }));
  return rootDigest(digested);
}

/** Asks whether `count` ranges from `first` on hold what they hold in `bytes`, a whole flash. */
export function question(plan: Plan, bytes: Uint8Array, first = 0, count = plan.ranges.length - first): Command {
  return { name: 'DIGEST', first, count, expected: rootOf(bytes, plan.ranges.slice(first, first + count)) };
}

/** What the stub says to that question: equal or not. @throws when it says something else */
export function asks(controller: SealedController, ...about: Parameters<typeof question>): boolean {
  const reply = controller.ask(question(...about));
  if (reply.name !== 'DIGEST') throw new Error(`the answer is ${reply.name}`);
  return reply.equal;
}

/** Sends all IMAGE frames of the plan's ranges, leaving the boot words out. */
export function sendImage(controller: SealedController, plan: Plan, image: SampleImage, frameBytes = 4032): void {
  for (const range of plan.ranges) {
    if (range.use !== 'program') continue;
    let at = range.address;
    const end = range.address + range.length;
    const boot = plan.bootAddress ?? -64;
    while (at < end) {
      if (at === boot) at += 64;
      const stop = at < boot ? Math.min(end, boot) : end;
      const count = Math.min(frameBytes, stop - at);
      if (count > 0) controller.send({ name: 'IMAGE', address: at, data: image.at(at, count) });
      at += count;
    }
  }
}

/** A fixture and its controller in an active session of `plan`, flash holding `flash`. */
export function active(
  plan: Plan = smallPlan(),
  options: BoardOptions = {},
  flash?: Uint8Array,
): { fixture: FirmwareFixture; controller: SealedController } {
  const bytes = encodePlan(plan);
  const fixture = FirmwareFixture.at(`active ${Buffer.from(bytes).toString('hex')}`, options, (fresh) => {
    fresh.board.restore(FirmwareFixture.booted(options).board.snapshot());
    new SealedController(fresh, bytes).connect();
  });
  if (flash !== undefined) fixture.board.flash.bytes.set(flash);
  const controller = new SealedController(fixture, bytes);
  controller.respond();
  controller.confirm();
  return { fixture, controller };
}

/** Erase, image, FINAL; returns the answer to FINAL. */
export function writeAll(controller: SealedController, plan: Plan, image: SampleImage): Reply {
  for (const sector of plan.sectors) controller.send({ name: 'ERASE', sector });
  sendImage(controller, plan, image);
  plan.sectors.forEach(() => controller.reply());
  const boot = plan.bootAddress;
  const bootWords = boot === undefined ? new Uint8Array(64) : image.at(boot, 64).slice();
  return controller.ask({ name: 'FINAL', root: image.root(plan, 'erased'), bootWords });
}
