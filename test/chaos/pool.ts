// Worker processes for chaos runs. A run that does not come back in real time is a finding too: its worker is replaced.
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Task } from './worker.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
/** Real time for one seed, a loaded computer included. */
const STUCK_MS = 600_000;

interface QueuedTask {
  readonly task: Task;
  readonly resolve: (answer: Answer) => void;
}

export class Pool {
  readonly #idle: ChildProcess[] = [];
  readonly #queued: QueuedTask[] = [];
  readonly #all = new Set<ChildProcess>();

  constructor(workers: number) {
    for (let count = 0; count < workers; count++) this.#hire();
  }

  run(task: Task): Promise<Answer> {
    return new Promise((resolve) => {
      this.#queued.push({ task, resolve });
      this.#next();
    });
  }

  close(): void {
    for (const child of this.#all) child.kill();
  }

  #hire(): void {
    const child = fork(WORKER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#all.add(child);
    this.#idle.push(child);
  }

  #next(): void {
    if (this.#idle.length === 0 || this.#queued.length === 0) return;
    const child = this.#idle.shift()!;
    const { task, resolve } = this.#queued.shift()!;
    const finish = (answer: Answer): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      resolve(answer);
      this.#next();
    };
    const lost = (why: string): void => {
      this.#all.delete(child);
      child.kill('SIGKILL');
      this.#hire();
      finish({ seed: task.seed, broken: [why], log: [], about: '', faults: 0, ended: 'stuck', cast: '', virtualMs: 0 });
    };
    const timer = setTimeout(() => lost(`stuck: no answer in ${STUCK_MS / 1000} s of real time`), STUCK_MS);
    child.once('message', (answer: Answer) => {
      this.#idle.push(child);
      finish(answer);
    });
    child.once('exit', (status) => lost(`the worker ended with ${status}`));
    child.send(task);
  }
}
