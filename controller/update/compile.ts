// image × chip × release → what an update file holds: a plan behind the loader, the commands in their order, the root
// (docs/update-files.md §2, §4).
import type { Chip, Width } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { PLAN_LIMITS } from '../../shared/plan/plan.ts';
import type { Command } from '../../shared/sealed/messages.ts';
import type { UpdateContent } from '../../shared/update/seal.ts';
import { imageStart, type Release } from '../../shared/plan/release.ts';
import { checkUpdatePlan, type UpdateMode } from '../../shared/update/update-plan.ts';
import type { Image } from '../image/image.ts';
import { hexAddress } from '../image/segments.ts';
import { requireBehindLoader } from '../plan/behind-loader.ts';
import { compileFlash } from '../plan/compile.ts';
import { eraseStep, expectedDigests, finalStep, imageSteps } from '../plan/steps.ts';

export interface UpdateOptions {
  readonly mode: UpdateMode;
  readonly release: Release;
  /** Flash size of the chip, KiB; its largest unless given. */
  readonly flashKiB?: number | undefined;
  /** What the customer reads; at most 64 bytes of UTF-8. */
  readonly label?: string | undefined;
  /** Widest programming allowed. */
  readonly widest?: Width | undefined;
}

/** No sealed command is waited for: the limit only has to be one a plan may have. */
const IDLE_MS = PLAN_LIMITS.idleMs.most;
const NO_JOB = new Uint8Array(16);

/**
 * What is sealed for the devices.
 * @throws BF-IMAGE-BEHIND-LOADER for an image that is not linked behind the loader, BF-IMAGE-* and BF-PLAN-* as
 *   compileFlash does, BF-IMAGE-BOOT-WORDS when it does not begin with a vector table, BF-UPDATE-MALFORMED for a floor
 *   above the version
 */
export function compileUpdate(image: Image, chip: Chip, options: UpdateOptions): UpdateContent {
  requireBehindLoader(image, chip, options.flashKiB);
  const { mode, release, flashKiB, label, widest } = options;
  const plan = compileFlash(image, chip, { job: NO_JOB, idleLimitMs: IDLE_MS, flashKiB, label, widest });
  if (plan.bootAddress !== imageStart(chip.flashBase)) {
    throw fail('BF-IMAGE-BOOT-WORDS', `${hexAddress(imageStart(chip.flashBase))}, where the loader starts an image`);
  }
  checkUpdatePlan({ mode, release, plan });
  const expected = expectedDigests(plan, image, chip);
  const commands: Command[] = plan.sectors.flatMap((sector) => [
    eraseStep(sector, false),
    ...imageSteps(plan, image, expected, sector),
  ]);
  commands.push(finalStep(plan, image, expected), { name: 'END' });
  return { plan: { mode, release, plan }, commands, root: expected.rootAfter };
}
