// The sealed session of test/vectors/protocol.json on the shipped stub: what it drew is replaced in its private memory
// by what the file says, the file's M2 is given to it, and it must say the file's M3 and hold the file's box keys.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { FirmwareFixture } from '../../integration/firmware/firmware-fixture.ts';
import { smallPlan } from '../../integration/firmware/sample-jobs.ts';
import { SealedController } from '../../integration/firmware/sealed-controller.ts';
import { ROOT, variablesOf, type Shipped } from './shipped.ts';

interface Vector {
  readonly input: { readonly e_i_secret: string; readonly d_secret: string; readonly contexts: readonly string[] };
  readonly static_public: string;
  readonly m1: string;
  readonly m2: string;
  readonly m3: string;
  readonly boxes: readonly { readonly direction: string; readonly sequence: number; readonly key: string }[];
}

/** Offsets in the structures of the C, bytes: `job` (common/job.h) and `direction` (common/boxes.c). */
const JOB = { planHash: 8, sealedKey: 8 + 64 + 8 } as const;
const DIRECTION = { key: 32 } as const;

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');

/** undefined: the stub arrives at the file's values; else where it does not. */
export function playVector({ elf }: Shipped): string | undefined {
  const path = resolve(ROOT, 'test/vectors/protocol.json');
  const { sealed } = JSON.parse(readFileSync(path, 'utf8')) as { sealed: Vector };
  const variables = variablesOf(elf);
  const addressOf = (name: string): number => {
    const address = variables.get(name);
    if (address === undefined) throw new Error(`the stub has no variable ${name}`);
    return address;
  };
  const fixture = new FirmwareFixture();
  fixture.boot();
  new SealedController(fixture, smallPlan()).giveJob();
  fixture.runUntil(() => fixture.state === 'offered', 1000, 'M1');
  const put = (name: string, value: string, offset = 0) => fixture.write(addressOf(name) + offset, bytes(value));
  put('handshake_ephemeral', sealed.input.e_i_secret);
  put('chip_key', sealed.input.d_secret);
  put('handshake_m1', sealed.m1);
  put('stub_hash', sealed.input.contexts[0]!);
  put('current_job', sealed.input.contexts[1]!, JOB.planHash);
  put('current_job', sealed.static_public, JOB.sealedKey);
  fixture.write(fixture.addressOf('M2'), bytes(sealed.m2));
  fixture.commandTo('m2', 'active', 'aborted');
  if (fixture.state !== 'active') return `confirm_r is refused: error ${fixture.error}`;
  if (hex(fixture.read(fixture.addressOf('M3'), 32)) !== sealed.m3) return 'another M3';
  const keyOf = (name: string) => hex(fixture.read(addressOf(name) + DIRECTION.key, 32));
  const wanted = (direction: string) =>
    sealed.boxes.find((box) => box.direction === direction && box.sequence === 1)!.key;
  if (keyOf('out') !== wanted('i2r')) return 'another key of the first box to the controller';
  return keyOf('in') === wanted('r2i') ? undefined : 'another key of the first box from the controller';
}
