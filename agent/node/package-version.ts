// Edge: the version of this installation, from its manifest.
import { readFileSync } from 'node:fs';

/** `0.1.0`, or `unknown` when the manifest is not where it belongs. */
export function packageVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    const version = versionIn(new URL(path, import.meta.url));
    if (version !== undefined) return version;
  }
  return 'unknown';
}

function versionIn(url: URL): string | undefined {
  try {
    const manifest = JSON.parse(readFileSync(url, 'utf8')) as { name?: unknown; version?: unknown };
    return manifest.name === 'blindflash' ? String(manifest.version) : undefined;
  } catch {
    return undefined;
  }
}
