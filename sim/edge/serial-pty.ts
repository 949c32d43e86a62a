// A serial port of the virtual board as a pseudo-terminal, for programs that open a device. Node cannot make one
// without native code, so python3 does; it also tells the bit rate that the program sets, which a pseudo-terminal keeps
// without using it.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fail } from '../../shared/errors/errors.ts';
import type { SerialPeer } from '../serial/serial-peer.ts';
import { SerialFeeder } from './serial-feeder.ts';
import type { SerialBridge } from './serial-tcp.ts';

/**
 * Standard input goes to whoever has the terminal open, what he writes comes on standard output; descriptor 3 tells
 * lines: `path /dev/pts/4`, `baud 115200`. Its end is that of its standard input.
 */
const HELPER = String.raw`
import os, pty, re, select, sys, termios, tty
def speed(name):
    return int(name[1:])
RATES = {getattr(termios, n): speed(n) for n in dir(termios) if re.fullmatch(r'B[0-9]+', n)}
CODES = {rate: code for code, rate in RATES.items()}
master, slave = pty.openpty()
tty.setraw(slave)
mode = termios.tcgetattr(slave)
mode[4] = mode[5] = CODES.get(int(sys.argv[1]), termios.B115200)
termios.tcsetattr(slave, termios.TCSANOW, mode)
os.set_blocking(master, False)
os.write(3, ('path %s\n' % os.ttyname(slave)).encode())
told = None
while True:
    rate = RATES.get(termios.tcgetattr(master)[5])
    if rate != told and rate:
        os.write(3, ('baud %d\n' % rate).encode())
        told = rate
    ready, _, _ = select.select([0, master], [], [], 0.02)
    if master in ready:
        # The rate may have been set right before these bytes were written.
        rate = RATES.get(termios.tcgetattr(master)[5])
        if rate != told and rate:
            os.write(3, ('baud %d\n' % rate).encode())
            told = rate
        os.write(1, os.read(master, 4096))
    if 0 in ready:
        data = os.read(0, 4096)
        if not data:
            break
        try:
            os.write(master, data)
        except BlockingIOError:
            pass
`;

export interface SerialPtyOptions {
  readonly peer: SerialPeer;
  /** Board time, ns. */
  readonly now: () => number;
  /** Program that makes the terminal. */
  readonly python?: string;
}

/** @throws (rejects) BF-USAGE-PTY when there is no python3 or it cannot make a pseudo-terminal */
export async function openSerialPty({ peer, now, python = 'python3' }: SerialPtyOptions): Promise<SerialBridge> {
  const child = spawn(python, ['-c', HELPER, String(peer.bitRate ?? 115_200)], {
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
  });
  const [input, output, , told] = child.stdio as unknown as [Writable, Readable, null, Readable];
  input.on('error', () => child.kill());
  const feeder = new SerialFeeder(peer, now);
  const path = await pathFrom(child, told, (baud) => (peer.bitRate = baud));
  output.on('data', (chunk: Uint8Array) => feeder.push(chunk, output));
  peer.onByte = (byte) => input.write(Uint8Array.of(byte));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      feeder.clear();
      peer.onByte = () => {};
      if (child.exitCode !== null) return resolve();
      child.once('exit', () => resolve());
      input.end();
    });
  return { address: path, close };
}

/** The terminal's path, once it is told; bit rates go to `setBaud` from then on. */
function pathFrom(child: ChildProcess, told: Readable, setBaud: (baud: number) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const refused = (error?: Error): void => reject(fail('BF-USAGE-PTY', undefined, error));
    child.once('error', refused);
    child.once('exit', () => refused());
    createInterface({ input: told }).on('line', (line) => {
      const [word, value = ''] = line.split(' ');
      if (word === 'path') resolve(value);
      else setBaud(Number(value));
    });
  });
}
