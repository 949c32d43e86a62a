// npm `serialport` 13 on the virtual board's pseudo-terminal: the bit rate that it sets reaches the far end of the
// line, and bytes go both ways. This program pokes the registers itself.
import { SerialPort } from 'serialport';
import { Board } from '../../../sim/board.ts';
import { openSerialPty } from '../../../sim/edge/serial-pty.ts';
import type { Checks } from '../openocd/checks.ts';

const REGISTERS = [
  [0x40023844, 0x10],
  [0x40011008, 16],
  [0x4001100c, 0x200c],
] as const;
const SR = 0x40011000;
const DR = 0x40011004;
const STEP_NS = 20_000;
const TIMEOUT_MS = 5000;

/** Opens the terminal at 1 Mbit/s, sends bytes through the chip, which echoes them. */
export async function serialPortOnPty(checks: Checks): Promise<void> {
  checks.at('serialport', 'open, bit rate, echo');
  const board = new Board();
  board.powerOn();
  board.runTo(2e6);
  for (const [address, value] of REGISTERS) board.bus.write(address, value, 4, 'debugger');
  const peer = board.serial('USART1');
  peer.bitRate = 9600;
  const bridge = await openSerialPty({ peer, now: () => board.time.now });
  const port = new SerialPort({ path: bridge.address, baudRate: 1_000_000 });
  const sent = Buffer.from('00ff0a0d1101031a7f41', 'hex');
  let got = '';
  port.on('data', (chunk: Buffer) => (got += chunk.toString('hex')));
  port.on('open', () => port.write(sent));
  const until = Date.now() + TIMEOUT_MS;
  while (got.length < 2 * sent.length && Date.now() < until) {
    for (let i = 0; i < 50; i++) {
      board.runTo(board.time.now + STEP_NS / 4);
      if (board.bus.read(SR, 4, 'debugger') & 0x20) {
        board.bus.write(DR, board.bus.read(DR, 4, 'debugger'), 4, 'debugger');
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  checks.check('bit rate', peer.bitRate === 1_000_000, String(peer.bitRate));
  checks.check('echo', got === sent.toString('hex'), got);
  await new Promise((resolve) => port.close(resolve));
  await bridge.close();
}
