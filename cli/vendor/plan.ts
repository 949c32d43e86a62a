// `blindflash plan IMAGE`: the dry run. Reads the image, prints what `flash` would do; no network, no keys.
import { describePlan, describeTrust } from '../../controller/plan/describe.ts';
import { estimate } from '../../controller/plan/estimate.ts';
import { imageHash, type LoadedImage } from '../../controller/image/image.ts';
import { quotable } from '../../shared/codec/foreign-text.ts';
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
  const image = await loadImage(args, chip);
  const job = args.job === undefined ? systemRandom.bytes(16) : fromHex(args.job, 'BF-USAGE', '--job');
  const plan = flashPlan(args, image, chip, job, undefined);
  const bytes = encodePlan(plan);
  if (args.json === true) {
    const { sectors, ranges, bootAddress, lock, mode } = plan;
    const identity = { job: toHex(job), planHash: toHex(planHash(bytes)), imageHash: toHex(imageHash(image)) };
    const work = { sectors, ranges, bootAddress, lock, mode, times: estimate(plan, chip), bytes: toHex(bytes) };
    const { format, files, skipped } = image;
    printJson({ event: 'plan', format, files, skipped, ...identity, ...work });
    return;
  }
  const lines = [...imageLines(image), ...describePlan(plan, chip, image), '', ...describeTrust(plan)];
  print(...lines);
}

function imageLines({ length, files }: LoadedImage): string[] {
  const [only] = files;
  if (files.length === 1 && only !== undefined) return [`image    ${length} bytes, ${only.format}`];
  return [`image    ${length} bytes`, ...files.map(({ name, format }) => `         ${format}, ${quotable(name)}`)];
}
