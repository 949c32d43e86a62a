// Between the two halves of a planting: the customer has the board without any power for a moment, and the serial port
// of its loader is found (docs/devices.md, "Planting").
import type { Prompt } from '../terminal/prompt.ts';
import type { TerminalCustomer } from './terminal-customer.ts';
import { namedPort, PROBES_OWN } from './serial-port.ts';
import type { ProbeEnvironment } from '../../agent/probe/probe-driver.ts';
import type { AgentOutcome } from '../../agent/session/ports.ts';
import type { SerialPortSource } from '../../agent/transport/serial/port.ts';

export interface AfterPlantingOptions {
  readonly prompt: Pick<Prompt, 'confirm'>;
  readonly customer: Pick<TerminalCustomer, 'say' | 'planted'>;
  /** --then-serial; the port in the ST-LINK unless given. */
  readonly port: string | undefined;
  /** --probe. */
  readonly probe: string | undefined;
  readonly environment: ProbeEnvironment;
  readonly keepCopy: (planted: AgentOutcome) => Promise<void>;
}

const STEPS_TEXT =
  '\nNow the board has to be without any power for a moment; only then does the loader make its keys:\n' +
  '  1. Take the ST-LINK off the board, and the serial adapter too: both feed the chip through its pins. Of a board with a\n' +
  '     built-in ST-LINK pull the USB cable.\n' +
  '  2. Switch the board off and wait ten seconds.\n' +
  '  3. Connect the serial line, or the USB cable of such a board, and switch it on. The ST-LINK is not needed any more.';
const READY_TEXT = 'Is the board on again, with its serial line?';
const LATER_TEXT =
  'The device is not on record yet. Start `blindflash agent` again when you are ready: it asks whether to go on.';

/** Resolves with the port; undefined when the customer does not want to go on now. @throws BF-SERIAL-*, BF-PROBE-* */
export async function afterPlanting(
  planted: AgentOutcome | undefined,
  { prompt, customer, port = PROBES_OWN, probe, environment, keepCopy }: AfterPlantingOptions,
): Promise<SerialPortSource | undefined> {
  customer.planted();
  if (planted?.receipt !== undefined) await keepCopy(planted);
  customer.say(STEPS_TEXT);
  if (await prompt.confirm(READY_TEXT, true)) return namedPort(port, probe, environment);
  customer.say(LATER_TEXT);
  return undefined;
}
