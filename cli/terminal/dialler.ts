// The way to the relay as the command line and the environment say: proxy, and the authorities that are believed.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fail } from '../../shared/errors/errors.ts';
import { dialRelay } from '../../shared/platform/node/dial-relay.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import type { Link } from '../../shared/ports.ts';

/** Dials the relay at a URL. @throws BF-USAGE for a file without a certificate */
export function dialler(ca = process.env['BLINDFLASH_CA']): (url: string) => Promise<Link> {
  const certificates = ca === undefined || ca === '' ? undefined : readCertificates(ca);
  return (url) => dialRelay(url, systemClock, { ca: certificates });
}

function readCertificates(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    new X509Certificate(text);
    return text;
  } catch (error) {
    throw fail('BF-USAGE', `--ca: ${path} cannot be read as a certificate in PEM form`, error);
  }
}
