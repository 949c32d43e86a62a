// A session in the middle of its work, its secrets, and every way it may end: for the tests that look for what is left.
import type { FirmwareFixture } from './firmware-fixture.ts';
import { active, FLASH, SampleImage, sendImage, smallPlan } from './sample-jobs.ts';
import { sessionSecrets } from './session-secrets.ts';
import { strike } from './session-starts.ts';
import type { SealedController } from './sealed-controller.ts';

export const CCM = { base: 0x10000000, size: 0x10000 };
export const SRAM = { base: 0x20000000, size: 0x30000 };
export const plan = smallPlan({ idleLimitMs: 1000 });

export const memory = (fixture: FirmwareFixture, { base, size }: typeof CCM) => Buffer.from(fixture.read(base, size));

/** Names of the secrets found, by any 16 of their bytes. */
export function found(where: Buffer, secrets: Record<string, Uint8Array>): string[] {
  return Object.keys(secrets).filter((name) => {
    const secret = secrets[name]!;
    for (let at = 0; at + 16 <= secret.length; at += 16) {
      if (where.includes(Buffer.from(secret.subarray(at, at + 16)))) return true;
    }
    return false;
  });
}

export interface Busy {
  readonly fixture: FirmwareFixture;
  readonly controller: SealedController;
  readonly secrets: Record<string, Uint8Array>;
  readonly image: SampleImage;
}

/**
 * An active session in the middle of its work, with what must not be found later. `seed` makes other
 * secrets of the same sizes.
 */
export function busy(seed = 1): Busy {
  const { fixture, controller } = active(plan, { seed });
  const image = new SampleImage(plan, 10 + seed);
  const secrets = { ...sessionSecrets(fixture, controller), plaintext: image.at(FLASH + 0x1000, 512).slice() };
  return { fixture, controller, secrets, image };
}
/** Erase under way, frames opened and queued behind it. */
export function busyErasing(seed?: number): Busy {
  const all = busy(seed);
  all.controller.send({ name: 'ERASE', sector: 0 });
  sendImage(all.controller, plan, all.image);
  all.fixture.runMs(20);
  return all;
}

export interface Ending {
  readonly what: string;
  readonly state: 'aborted' | 'expired' | 'fault' | 'offered' | 'ended';
  readonly leave: (busy: Busy) => void;
}

export const ENDINGS: readonly Ending[] = [
  {
    what: 'the controller aborts',
    state: 'aborted',
    leave: ({ controller }) => void controller.send({ name: 'ABORT' }),
  },
  { what: 'the agent aborts', state: 'expired', leave: ({ fixture }) => fixture.command('abort') },
  {
    what: 'a box does not open',
    state: 'aborted',
    leave: ({ controller }) => controller.place(new Uint8Array(192), controller.session.sent + 1),
  },
  {
    what: 'a hostile frame comes',
    state: 'aborted',
    leave: ({ controller }) => void controller.send({ name: 'ERASE', sector: 5 }),
  },
  { what: 'nothing moves for the idle limit', state: 'expired', leave: ({ fixture }) => fixture.runMs(2500) },
  { what: 'a CPU fault strikes', state: 'fault', leave: ({ fixture }) => strike(fixture) },
  { what: 'another handshake begins', state: 'offered', leave: ({ fixture }) => fixture.command('handshake') },
  {
    what: 'the job is done',
    state: 'ended',
    leave: ({ controller, image }) => {
      controller.reply();
      controller.ask({ name: 'FINAL', root: image.root(plan, 'erased'), bootWords: image.at(FLASH, 64).slice() });
      controller.ask({ name: 'END' });
    },
  },
];

/** The states that the chip's own key outlives. */
export const OUTLIVED: readonly Ending['state'][] = ['aborted', 'offered', 'ended'];

/** Leaves a busy session and waits until the stub rests. */
export function end(all: Busy, { state, leave }: Ending): void {
  const { fixture } = all;
  leave(all);
  const handled = () => fixture.control('COMMAND') === 0;
  fixture.runUntil(() => fixture.state === state && handled(), 6000, state);
  fixture.runMs(1);
}
