// The agent's serial transport on the virtual board's serial port, in virtual time.
import type { OpenSerialPort, SerialPortSource } from '../../../agent/transport/serial/port.ts';
import type { Board } from '../../../sim/board.ts';
import { EventQueue } from '../../../sim/event-queue.ts';
import { VirtualSerialPort } from '../../../sim/serial/virtual-serial-port.ts';

/** A queue that the board follows, at the board's own time. */
export async function queueOf(board: Board): Promise<EventQueue> {
  const queue = new EventQueue();
  let reached = false;
  queue.at(board.time.now, () => (reached = true));
  await queue.runUntil(() => reached);
  queue.follow({ followTo: (ns) => board.runTo(ns) });
  return queue;
}

/** The adapter on USART1 of the board, as the agent opens it. */
export function adapterOf(board: Board, queue: EventQueue): SerialPortSource & { readonly virtual: VirtualSerialPort } {
  board.serial('USART1').pins = { tx: 'PA9', rx: 'PA10' };
  const virtual = new VirtualSerialPort({ peer: board.serial('USART1'), queue });
  const open = (): Promise<OpenSerialPort> => {
    virtual.bitRate = 115_200;
    virtual.open();
    let writes: Promise<void> = Promise.resolve();
    const port: OpenSerialPort = {
      onData: () => {},
      onGone: () => {},
      write: (bytes) => (writes = writes.then(() => virtual.write(bytes))),
      drain: () => writes,
      setBaud: (rate) => {
        virtual.bitRate = rate;
        return Promise.resolve(true);
      },
      close: () => Promise.resolve(virtual.close()),
    };
    virtual.onData = (bytes) => port.onData(bytes);
    virtual.onGone = () => port.onGone();
    return Promise.resolve(port);
  };
  return { name: 'USART1', open, virtual };
}
