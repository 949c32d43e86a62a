// `blindflash info` and `blindflash reset`: jobs that need no image and no stub.
import type { JobResult } from '../../controller/job/ports.ts';
import { compileInfo, compileReset } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import { print } from '../terminal/output.ts';
import { helloLines } from './job-view.ts';
import { chipNamed, planOptions, type JobArguments } from './options.ts';

/** Says what is connected: to people on standard output, to programs in the events. */
export async function runInfo(args: JobArguments): Promise<void> {
  const { hello } = await look('info', compileInfo, args);
  if (args.json !== true) print(...helloLines(hello));
}

export async function runReset(args: JobArguments): Promise<void> {
  await look('reset', compileReset, args);
}

async function look(kind: 'info' | 'reset', compile: typeof compileInfo, args: JobArguments): Promise<JobResult> {
  const chip = chipNamed(args.chip);
  const terminal = new VendorTerminal(args);
  try {
    const plan = (job: Uint8Array) => compile(chip, planOptions(args, job, undefined));
    return await terminal.run({ kind, image: undefined, chip, plan, fixedSize: true });
  } finally {
    await terminal.close();
  }
}
