// What `--serial` names: a port of this computer or of the network, or the one in the ST-LINK.
import { portOfProbe, serialPort } from '../../agent/node/serial-ports.ts';
import { chooseListing, listProbes } from '../../agent/probe/drivers.ts';
import type { ProbeEnvironment } from '../../agent/probe/probe-driver.ts';
import type { SerialPortSource } from '../../agent/transport/serial/port.ts';
import { fail } from '../../shared/errors/errors.ts';

/** `--serial probe`: the serial port that is in the ST-LINK. */
export const PROBES_OWN = 'probe';

/** Says at once, before anybody is asked for anything, that this is no name of a port. @throws BF-USAGE */
export function requirePortName(name: string | undefined): void {
  if (name !== undefined && name !== PROBES_OWN) serialPort(name);
}

/**
 * @param probe which ST-LINK, where there are several. No ST-LINK is opened
 * @throws BF-USAGE, BF-SERIAL-ADAPTER for one that has no port, BF-SERIAL-LIST, BF-PROBE-*
 */
export async function namedPort(
  name: string,
  probe: string | undefined,
  environment: ProbeEnvironment,
): Promise<SerialPortSource> {
  if (name !== PROBES_OWN) return serialPort(name);
  const { kind, serial } = chooseListing(await listProbes(probe, environment), probe);
  if (serial === undefined) throw fail('BF-SERIAL-ADAPTER', `${kind} without a serial number`);
  return serialPort(await portOfProbe(serial));
}
