// `blindflash relay`: what an operator runs. Design: docs/product.md §4; docs/protocol.md §1-§2.
import { isIP } from 'node:net';
import { fail } from '../../shared/errors/errors.ts';
import type { Log } from '../../shared/ports.ts';
import { print, printJson } from '../terminal/output.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';
import { requireRelayName } from '../../relay/core/admission.ts';
import { Relay } from '../../relay/core/relay.ts';
import { serveRelay, type RunningServer } from '../../relay/server.ts';
import type { Control } from '../../relay/control/control.ts';
import { FileControl } from '../../relay/control/file.ts';
import { fixedControl } from '../../relay/control/fixed.ts';
import { everyTenant } from '../../relay/core/tenants.ts';

export interface RelayArguments {
  readonly listen: string;
  readonly name?: string | undefined;
  readonly tenants?: string | undefined;
  readonly open: boolean;
  readonly 'trust-proxy': boolean;
  readonly 'log-level'?: LogLevel | undefined;
  readonly json?: boolean | undefined;
}

/** Serves until SIGINT or SIGTERM. */
export async function runRelay(args: RelayArguments): Promise<void> {
  const log = createLog(args['log-level'] ?? 'info', 'relay');
  const server = await startRelay(args, log);
  if (args.json) printJson({ event: 'listening', url: server.url });
  else print(`relay listening on ${server.url}`);
  await untilSignal();
  await server.stop();
}

/**
 * Checks the options, reads the tenants and starts serving.
 * @throws BF-USAGE, BF-RELAY-CONFIG, BF-RELAY-OPEN, BF-RELAY-LISTEN
 */
export async function startRelay(args: RelayArguments, log: Log): Promise<RunningServer> {
  const { host, port } = parseListen(args.listen);
  const control = await chooseControl(args, host);
  const name = requireRelayName(args.name ?? defaultName(host));
  const clock = systemClock;
  const relay = new Relay({ name, control, verify: verifyEd25519, clock, random: systemRandom, log });
  const server = await serveRelay({ relay, clock, log, host, port, trustProxy: args['trust-proxy'] });
  const forget = onHangUp(control, log);
  return {
    url: server.url,
    stop: () => {
      forget();
      return server.stop();
    },
  };
}

/** `HOST:PORT` or `[IPV6]:PORT`. @throws BF-USAGE */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 0xffff)) throw fail('BF-USAGE', '--listen expects HOST:PORT');
  return { host: host.toLowerCase(), port };
}

/** Addresses that only this computer can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

async function chooseControl(args: RelayArguments, host: string): Promise<Control | FileControl> {
  if (args.open && args.tenants !== undefined) throw fail('BF-USAGE', '--open and --tenants exclude one another');
  if (args.open && !isLoopback(host)) throw fail('BF-RELAY-OPEN', `--listen ${host}`);
  if (args.open) return fixedControl(everyTenant);
  if (args.tenants === undefined) throw fail('BF-RELAY-CONFIG', 'name a tenants file with --tenants');
  return FileControl.open(args.tenants);
}

/** Listening on one address, that is the name; on all of them, nobody can know it but the operator. */
function defaultName(host: string): string {
  if (host === '0.0.0.0' || host === '::') throw fail('BF-RELAY-CONFIG', 'say with --name which host clients dial');
  return host;
}

/** SIGHUP reads the tenants file again; a wrong one changes nothing. */
function onHangUp(control: Control | FileControl, log: Log): () => void {
  if (!(control instanceof FileControl)) return () => {};
  const reload = (): void => {
    control.reload().then(
      () => log.info({}, 'tenants read again'),
      (error: Error) => log.error({ why: error.message }, 'tenants file not usable; keeping the old one'),
    );
  };
  process.on('SIGHUP', reload);
  return () => void process.off('SIGHUP', reload);
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
