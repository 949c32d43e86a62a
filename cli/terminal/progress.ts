// Edge: progress in bytes, with speed and time left: a bar on a terminal, a line per tenth elsewhere, JSON with --json.
import cliProgress from 'cli-progress';
import type { Clock } from '../../shared/ports.ts';
import { cleanText } from '../../shared/codec/foreign-text.ts';
import { STREAMS, writeJson, writeLines } from './output.ts';

export interface Progress {
  /** Begins work on `totalBytes`; what is unfinished is closed. */
  start(label: string, totalBytes: number): void;
  /** `doneBytes` of the current work are done. */
  update(doneBytes: number): void;
  /** Ends the current work where it stands. */
  stop(): void;
}

export type ProgressMode = 'bar' | 'lines' | 'json' | 'none';

/** The mode a command should use: JSON when asked for, a bar on a terminal that can repaint a line, lines elsewhere. */
export function progressMode(
  json: boolean,
  stream: { isTTY?: boolean } = STREAMS.stderr,
  term = process.env['TERM'],
): ProgressMode {
  if (json) return 'json';
  return stream.isTTY && term !== 'dumb' ? 'bar' : 'lines';
}

/** Progress over the given streams: bar and lines to `person` (stderr), JSON to `machine` (stdout). */
export function createProgress(
  mode: ProgressMode,
  clock: Clock,
  person: NodeJS.WritableStream = STREAMS.stderr,
  machine: NodeJS.WritableStream = STREAMS.stdout,
): Progress {
  if (mode === 'bar') return barProgress(clock, person);
  if (mode === 'lines') return steppedProgress(clock, byTenths, (now) => writeLines(person, inWords(now)));
  if (mode === 'json') {
    return steppedProgress(clock, byTime, (now) => writeJson(machine, { event: 'progress', ...now }));
  }
  return { start: () => {}, update: () => {}, stop: () => {} };
}

/** One reading of work that is under way. */
export interface ProgressReading {
  readonly label: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Over the last seconds; 0 before anything is known. */
  readonly bytesPerSecond: number;
  /** Undefined before anything is known. */
  readonly secondsLeft?: number;
}

const WINDOW_MS = 5000;
const JSON_EVERY_MS = 250;

/** Speed over a sliding window of samples. Pure: time comes with each sample. */
export class RateMeter {
  readonly #samples: { readonly at: number; readonly done: number }[] = [];

  add(at: number, done: number): void {
    this.#samples.push({ at, done });
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= WINDOW_MS) this.#samples.shift();
  }

  /** Bytes a second between the oldest and newest sample of the window; 0 with fewer than two moments. */
  get bytesPerSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return Math.max(0, ((last.done - first.done) * 1000) / (last.at - first.at));
  }
}

/** Work being measured. */
class TimedWork {
  readonly label: string;
  readonly totalBytes: number;
  readonly #meter = new RateMeter();
  #done = 0;

  constructor(label: string, totalBytes: number, at: number) {
    this.label = label;
    this.totalBytes = totalBytes;
    this.#meter.add(at, 0);
  }

  reach(done: number, at: number): ProgressReading {
    this.#done = Math.min(done, this.totalBytes);
    this.#meter.add(at, this.#done);
    return this.reading;
  }

  get reading(): ProgressReading {
    const bytesPerSecond = Math.round(this.#meter.bytesPerSecond);
    const left = this.totalBytes - this.#done;
    const base = { label: this.label, doneBytes: this.#done, totalBytes: this.totalBytes, bytesPerSecond };
    return bytesPerSecond === 0 ? base : { ...base, secondsLeft: Math.ceil(left / bytesPerSecond) };
  }
}

/** `12.3 KiB/s` */
export function speedText(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? '-' : `${(bytesPerSecond / 1024).toFixed(1)} KiB/s`;
}

/** `1:05`, minutes and seconds. */
export function timeText(seconds: number | undefined): string {
  if (seconds === undefined) return '-:--';
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
}

function inWords(now: ProgressReading): string {
  const percent = now.totalBytes === 0 ? 100 : Math.floor((now.doneBytes * 100) / now.totalBytes);
  const kib = (bytes: number): string => (bytes / 1024).toFixed(0);
  return `${now.label} ${percent} % (${kib(now.doneBytes)} of ${kib(now.totalBytes)} KiB, ${speedText(now.bytesPerSecond)}, ${timeText(now.secondsLeft)} left)`;
}

function barProgress(clock: Clock, stream: NodeJS.WritableStream): Progress {
  let bar: cliProgress.SingleBar | undefined;
  let work: TimedWork | undefined;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    start: (label, totalBytes) => {
      stop();
      work = new TimedWork(label, totalBytes, clock.now());
      bar = new cliProgress.SingleBar(
        { format: '{label} [{bar}] {percentage} % | {speed} | {left} left', stream, hideCursor: true, barsize: 30 },
        cliProgress.Presets.shades_classic,
      );
      bar.start(totalBytes, 0, { label: cleanText(label), speed: '-', left: '-:--' });
    },
    update: (doneBytes) => {
      if (work === undefined) return;
      const now = work.reach(doneBytes, clock.now());
      bar?.update(now.doneBytes, { speed: speedText(now.bytesPerSecond), left: timeText(now.secondsLeft) });
    },
    stop,
  };
}

/** Decides whether a reading is worth telling after the last one told. */
type Worth = (now: ProgressReading, at: number, told: { reading: ProgressReading; at: number }) => boolean;

const byTenths: Worth = (now, _at, told) => tenth(now) > tenth(told.reading);
const byTime: Worth = (now, at, told) => at - told.at >= JSON_EVERY_MS || now.doneBytes === now.totalBytes;

function tenth(reading: ProgressReading): number {
  return reading.totalBytes === 0 ? 10 : Math.floor((reading.doneBytes * 10) / reading.totalBytes);
}

function steppedProgress(clock: Clock, worth: Worth, tell: (now: ProgressReading) => void): Progress {
  let work: TimedWork | undefined;
  let told = { reading: { label: '', doneBytes: 0, totalBytes: 0, bytesPerSecond: 0 } as ProgressReading, at: 0 };
  return {
    start: (label, totalBytes) => {
      work = new TimedWork(label, totalBytes, clock.now());
      told = { reading: work.reading, at: clock.now() };
    },
    update: (doneBytes) => {
      if (work === undefined || doneBytes <= told.reading.doneBytes) return;
      const at = clock.now();
      const reading = work.reach(doneBytes, at);
      if (!worth(reading, at, told)) return;
      told = { reading, at };
      tell(reading);
    },
    stop: () => {
      work = undefined;
    },
  };
}
