// A virtual probe for other people's tools whose clock is the board's alone: an exchange takes its cost in virtual
// time, and between two exchanges as much virtual time passes as the tool let pass on its own clock. What our
// simulation needs to compute an exchange is nobody's time and is not counted (docs/performance.md, "Other tools").
import { Board } from '../../sim/board.ts';
import { listenUsbSocket, type PluggedProbe } from '../../sim/edge/usb-socket.ts';
import { serverState } from '../../sim/stlink/server-session.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { listenStlinkServer } from '../../sim/stlink/tcp-server.ts';
import { VirtualStlink } from '../../sim/stlink/virtual-stlink.ts';

export interface FlatProbeOptions {
  readonly probe: IdentityName;
  /** Fixed cost of a command, ms; a network round trip may be in it. */
  readonly commandMs: number;
  readonly flash: Uint8Array;
  /** Pauses up to this are the machinery's between tool and probe, not the tool's, ms. */
  readonly machineryMs: number;
  /** What only a real probe could tell: does entering debug mode open the access port. */
  readonly enterOpensAp?: boolean;
}

export interface FlatProbe {
  readonly board: Board;
  readonly commands: number;
  /** Virtual time, ms. */
  readonly nowMs: number;
  /** SWD clock in use, kHz. */
  readonly swdKHz: number;
  /** As a server serves it. */
  readonly shared: PluggedProbe;
}

export interface FlatServer {
  readonly probe: FlatProbe;
  readonly port: number;
  close(): Promise<void>;
}

export interface FlatSocket {
  readonly probe: FlatProbe;
  close(): Promise<void>;
}

/** No tool sleeps longer than this between two commands; what lies beyond is the machine's load, ms. */
const LONGEST_THOUGHT_MS = 20;
/** A local TCP connection adds nothing that is worth counting, ms. */
const TCP_MACHINERY_MS = 1;
/** The bridge to libusb polls and copies, ms. */
const USB_MACHINERY_MS = 5;

/** Serves the stlink-server protocol on a free port of this machine. */
export async function startFlatServer(options: Omit<FlatProbeOptions, 'machineryMs'>): Promise<FlatServer> {
  const probe = flatProbe({ ...options, machineryMs: TCP_MACHINERY_MS });
  const server = await listenStlinkServer(serverState(probe.shared), 0, '127.0.0.1');
  return { probe, port: server.port, close: () => server.close() };
}

/** Serves the bridge to libusb on a unix socket at `path`. */
export async function startFlatSocket(
  options: Omit<FlatProbeOptions, 'machineryMs'>,
  path: string,
): Promise<FlatSocket> {
  const probe = flatProbe({ ...options, machineryMs: USB_MACHINERY_MS });
  const socket = await listenUsbSocket(probe.shared, path);
  return { probe, close: () => socket.close() };
}

function flatProbe({ probe, commandMs, flash, machineryMs, enterOpensAp = false }: FlatProbeOptions): FlatProbe {
  const board = new Board({ seed: 1, flash });
  board.powerOn();
  let commands = 0;
  const switches = { enterOpensAp };
  const stlink = new VirtualStlink({ board, identity: probe, switches, cost: { commandNs: commandMs * 1e6 } });
  let answeredAt = performance.now();
  const shared: PluggedProbe = {
    identity: stlink.identity,
    serial: stlink.identity.serial,
    dataLength: (command) => stlink.dataLength(command),
    exchange: (command, dataOut, asked) => {
      const thoughtMs = Math.min(performance.now() - answeredAt, LONGEST_THOUGHT_MS);
      if (thoughtMs > machineryMs) board.runTo(board.time.now + thoughtMs * 1e6);
      commands++;
      const { reply } = stlink.exchange(command, dataOut, asked);
      answeredAt = performance.now();
      return Promise.resolve(reply);
    },
    powerCycle: () => stlink.powerCycle(),
  };
  return {
    board,
    shared,
    get commands() {
      return commands;
    },
    get nowMs() {
      return board.time.now / 1e6;
    },
    get swdKHz() {
      return stlink.swdKHz;
    },
  };
}
