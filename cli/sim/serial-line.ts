// The far end of the virtual board's serial port, as `blindflash sim --serial` asks for it.
import { fail } from '../../shared/errors/errors.ts';
import type { Board } from '../../sim/board.ts';
import { openSerialPty } from '../../sim/edge/serial-pty.ts';
import { listenSerialTcp, type SerialBridge } from '../../sim/edge/serial-tcp.ts';
import { USARTS, type UsartName } from '../../sim/peripherals/usart-table.ts';

export interface SerialArguments {
  readonly serial: string | undefined;
  readonly 'serial-unit': UsartName;
  /** Bits a second. */
  readonly baud: number;
  /** Pulses a second. */
  readonly 'serial-noise': number;
}

const FORM = /^(?:(tcp|rfc2217):(\d{1,5})|pty)$/;

/** Opens what `--serial` names; undefined without it. @throws BF-USAGE, BF-USAGE-PORT, BF-USAGE-PTY */
export async function connectSerial(
  board: Board,
  args: SerialArguments,
  host: string,
): Promise<SerialBridge | undefined> {
  if (args.serial === undefined) return undefined;
  const form = FORM.exec(args.serial);
  if (form === null) throw fail('BF-USAGE', '--serial takes tcp:PORT, rfc2217:PORT or pty');
  if (!(args.baud >= 300 && args.baud <= 11_250_000)) throw fail('BF-USAGE', '--baud takes 300 to 11250000');
  const pulsesPerSecond = args['serial-noise'];
  if (!(pulsesPerSecond >= 0 && pulsesPerSecond <= 100_000)) throw fail('BF-USAGE', '--serial-noise takes 0 to 100000');
  const { tx, rx } = USARTS[args['serial-unit']];
  const peer = board.serial(args['serial-unit']);
  peer.bitRate = args.baud;
  peer.pins = { tx: tx[0], rx: rx[0] };
  peer.noise = { pulsesPerSecond };
  const now = (): number => board.time.now;
  const [, kind, port] = form;
  if (kind === undefined) return openSerialPty({ peer, now });
  return listenSerialTcp({ peer, now, port: Number(port), host, telnet: kind === 'rfc2217' });
}
