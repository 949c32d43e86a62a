// The probes we can drive, one line each, and how the one that is meant is found.
import { fail } from '../../shared/errors/errors.ts';
import type { Probe } from './probe.ts';
import type { ProbeDriver, ProbeEnvironment, ProbeListing } from './probe-driver.ts';
import { STLINK_SERVER, STLINK_USB } from './stlink/listing.ts';

export const DRIVERS: readonly ProbeDriver[] = [STLINK_USB, STLINK_SERVER];

/** The drivers `--probe SELECTOR` speaks of: one that has its scheme, otherwise all that have none. */
export function driversFor(selector: string | undefined): readonly ProbeDriver[] {
  const scheme = schemeOf(selector);
  return DRIVERS.filter((driver) => driver.scheme === scheme);
}

/**
 * Everything that could be meant by `selector`: nothing, a serial number (or its beginning), or
 * `tcp:HOST:PORT[/SERIAL]`.
 */
export async function listProbes(selector: string | undefined, environment: ProbeEnvironment): Promise<ProbeListing[]> {
  const lists = await Promise.all(driversFor(selector).map((driver) => driver.list(selector, environment)));
  return lists.flat();
}

/** The one probe that is meant, not yet opened. @throws BF-PROBE-NONE, -SEVERAL, or the listed probe's own problem. */
export async function findProbe(selector: string | undefined, environment: ProbeEnvironment): Promise<Probe> {
  return chooseListing(await listProbes(selector, environment), selector).make();
}

/** Exactly one of the listings, in words when it is none or several. */
export function chooseListing(listings: readonly ProbeListing[], selector: string | undefined): ProbeListing {
  const wanted = schemeOf(selector) === undefined ? selector?.toUpperCase() : undefined;
  const meant = listings.filter(({ serial, problem }) => {
    return wanted === undefined || problem !== undefined || serial?.toUpperCase().startsWith(wanted);
  });
  const usable = meant.filter(({ problem }) => problem === undefined);
  if (usable.length === 1) return usable[0];
  if (usable.length > 1) throw fail('BF-PROBE-SEVERAL', usable.map(({ serial }) => serial ?? 'no serial').join(', '));
  if (meant[0]?.problem !== undefined) throw meant[0].problem;
  throw fail('BF-PROBE-NONE', listings.length > 0 ? `none with serial ${selector ?? ''}` : undefined);
}

function schemeOf(selector: string | undefined): string | undefined {
  const known = DRIVERS.flatMap(({ scheme }) => (scheme === undefined ? [] : [scheme]));
  return known.find((scheme) => selector?.startsWith(scheme));
}
