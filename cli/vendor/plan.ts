// `blindflash plan IMAGE`: the dry run. Reads the image, prints what `flash` would do; no network, no keys.
import { describePlan, describeTrust } from '../../controller/plan/describe.ts';
import { estimate } from '../../controller/plan/estimate.ts';
import { imageHash } from '../../controller/image/image.ts';
import { fromHex, toHex } from '../../shared/codec/bytes.ts';
import { encodePlan, planHash } from '../../shared/plan/plan.ts';
import { print, printJson } from '../terminal/output.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { requireRandom } from '../../controller/job/checks.ts';
import { flashPlan, type FlashArguments } from './flash.ts';
import { chipNamed, loadImage } from './options.ts';

interface DryRunArguments extends FlashArguments {
  readonly job?: string | undefined;
}

export async function runPlan(args: DryRunArguments): Promise<void> {
  const chip = chipNamed(args.chip);
  requireRandom('flash', chip);
  const image = await loadImage(args);
  const job = args.job === undefined ? systemRandom.bytes(16) : fromHex(args.job, 'BF-USAGE', '--job');
  const plan = flashPlan(args, image, chip, job, undefined);
  const bytes = encodePlan(plan);
  if (args.json === true) {
    const { sectors, ranges, bootAddress, lock, mode } = plan;
    const identity = { job: toHex(job), planHash: toHex(planHash(bytes)), imageHash: toHex(imageHash(image)) };
    const work = { sectors, ranges, bootAddress, lock, mode, times: estimate(plan, chip), bytes: toHex(bytes) };
    printJson({ event: 'plan', format: image.format, ...identity, ...work });
    return;
  }
  const lines = [
    `image    ${image.length} bytes, ${image.format}`,
    ...describePlan(plan, chip),
    '',
    ...describeTrust(plan),
  ];
  print(...lines);
}
