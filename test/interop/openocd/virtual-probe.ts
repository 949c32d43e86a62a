// `blindflash sim` as a process of its own, with its lines understood and its controls at hand.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

interface SimEvent {
  readonly event: string;
  readonly text?: string;
  readonly port?: number;
}

export interface VirtualProbe {
  readonly port: number;
  /** Sends a line (`power cycle`, …) and waits until it has been carried out. */
  control(line: string): Promise<void>;
  /** Lines the board's serial port has printed. */
  readonly uart: readonly string[];
  /** Ends it; its exit status. */
  stop(): Promise<number | null>;
}

/** Starts the simulator on a free port. @throws Error when it ends before it is ready */
export async function startProbe(args: readonly string[]): Promise<VirtualProbe> {
  const serve = new URL('serve.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import=tsx', serve, 'sim', '--tcp', '0', '--json', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const events = new EventReader(child);
  const ready = await events.next('ready');
  return {
    port: ready.port!,
    uart: events.uart,
    control: async (line) => {
      child.stdin.write(`${line}\n`);
      await events.next('control');
    },
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/** Hands out the events of a simulator as they are asked for. */
class EventReader {
  readonly uart: string[] = [];
  readonly #waiting = new Map<string, { resolve: (event: SimEvent) => void; reject: (error: Error) => void }>();

  constructor(child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => this.#take(JSON.parse(line) as SimEvent));
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the virtual probe has ended'));
    });
  }

  next(event: string): Promise<SimEvent> {
    return new Promise((resolve, reject) => this.#waiting.set(event, { resolve, reject }));
  }

  #take(event: SimEvent): void {
    if (event.event === 'uart') this.uart.push(event.text ?? '');
    this.#waiting.get(event.event)?.resolve(event);
    this.#waiting.delete(event.event);
  }
}
