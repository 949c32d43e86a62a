// A worker of `npm run test:chaos`: plays the seeds it is sent, one after another.
import { play, type PlayOptions } from './play.ts';

export interface Task extends PlayOptions {
  readonly seed: number;
  /** Play it a second time and compare the traces. */
  readonly twice: boolean;
}

export interface Answer {
  readonly seed: number;
  readonly broken: readonly string[];
  readonly log: readonly string[];
  readonly about: string;
  readonly faults: number;
  readonly ended: string;
  readonly cast: string;
  readonly virtualMs: number;
}

async function answer(task: Task): Promise<Answer> {
  try {
    const result = await play(task.seed, task);
    const again = task.twice ? await play(task.seed, task) : result;
    const { script, log, ended, virtualMs } = result;
    const differs = again.hash === result.hash ? [] : [`trace: ${result.hash} and then ${again.hash}`];
    const about = [
      ...script.faults.map(
        ({ name, trigger }) =>
          `${name}@${'ms' in trigger ? `${trigger.on === 'fault' ? '+' : ''}${trigger.ms}ms` : `${trigger.on}#${trigger.count}`}`,
      ),
      ...script.tricks,
    ].join(' ');
    const broken = [...result.broken, ...differs];
    return { seed: task.seed, broken, log, about, faults: script.faults.length, ended, cast: script.cast, virtualMs };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      seed: task.seed,
      broken: [`threw: ${text}`],
      log: [],
      about: '',
      faults: 0,
      ended: 'threw',
      cast: '',
      virtualMs: 0,
    };
  }
}

process.on('message', (task: Task) => {
  void answer(task).then((result) => process.send?.(result));
});
