// `npm audit signatures` for the CI: a bad or missing signature fails, a registry (or its keys) that
// does not answer does not.
//   node scripts/audit-signatures.mjs
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What npm reports when there was nobody to ask, or nobody who has signatures. */
const SILENT =
  /^(E(AI_AGAIN|CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|NOTFOUND|TIMEDOUT)|ENOTFOUND|ETIMEDOUT|ERR_SOCKET_TIMEOUT|FETCH_ERROR|ENOTCACHED|E404|E5\d\d)$/;
const UNSUPPORTED = /no (dependencies|signatures)|does not support|doesn't support/i;

/** @param text what `npm audit signatures --json` wrote; @param status its exit status */
export function verdictOf(text, status) {
  const report = parse(text);
  const { invalid = [], missing = [], error } = report ?? {};
  const bad = [...invalid, ...missing].map(({ name, version }) => `${name}@${version}`);
  if (bad.length > 0) return { passed: false, says: `bad or missing signatures: ${bad.join(', ')}` };
  if (report !== undefined && error === undefined && status === 0) {
    return { passed: true, says: 'every signature is right' };
  }
  const { code = '', summary = '' } = error ?? {};
  if (SILENT.test(code) || UNSUPPORTED.test(summary)) {
    return { passed: true, says: `not checked: no registry answered (${code || summary})` };
  }
  return { passed: false, says: `npm failed: ${code} ${summary}`.trim() };
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { stdout, status } = spawnSync(npm, ['audit', 'signatures', '--json'], { encoding: 'utf8', timeout: 120_000 });
  const { passed, says } = verdictOf(stdout ?? '', status);
  console.log(`npm audit signatures: ${says}`);
  process.exitCode = passed ? 0 : 1;
}
