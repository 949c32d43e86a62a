// Results of jobs, kept in bench/out for the tables: a job of 1 MB takes minutes, so rows may be run one by one. What
// was measured on another loader counts no more.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { toHex } from '../../shared/codec/bytes.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import { loaderImage } from '../../test/integration/loader/loader-fixture.ts';
import type { MeasuredLoaderJob } from './measure.ts';

const FILE = new URL('../out/bench-loader.json', import.meta.url);

interface Kept {
  readonly loader: string;
  readonly results: readonly MeasuredLoaderJob[];
}

const LOADER = toHex(sha512(loaderImage()));

/** Results on the present loader, whenever they were measured. */
export function keptResults(): readonly MeasuredLoaderJob[] {
  try {
    const { loader, results } = JSON.parse(readFileSync(FILE, 'utf8')) as Kept;
    return loader === LOADER ? results : [];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Keeps a result in place of an earlier one of the same row. */
export function keepResult(result: MeasuredLoaderJob): void {
  const others = keptResults().filter(({ spec }) => spec.name !== result.spec.name);
  mkdirSync(new URL('.', FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify({ loader: LOADER, results: [...others, result] } satisfies Kept, undefined, 1));
}
