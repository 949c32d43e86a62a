// A virtual probe for other people's tools whose clock is the board's alone: an exchange takes its cost in virtual time, and between two
// exchanges as much virtual time passes as the tool let pass on its own clock. What our simulation needs to compute an exchange is
// nobody's time and is not counted (docs/performance.md, "Other tools").
import { Board } from '../../sim/board.ts';
import { serverState } from '../../sim/stlink/server-session.ts';
import type { SharedProbe } from '../../sim/stlink/server-session.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { listenStlinkServer } from '../../sim/stlink/tcp-server.ts';
import { VirtualStlink } from '../../sim/stlink/virtual-stlink.ts';

export interface FlatServerOptions {
  readonly probe: IdentityName;
  /** Fixed cost of a command, ms; a network round trip may be in it. */
  readonly commandMs: number;
  readonly flash: Uint8Array;
}

export interface FlatServer {
  readonly port: number;
  readonly board: Board;
  readonly commands: number;
  /** Virtual time, ms. */
  readonly nowMs: number;
  close(): Promise<void>;
}

/** No tool sleeps longer than this between two commands; what lies beyond is the machine's load, ms. */
const LONGEST_THOUGHT_MS = 20;

/** Serves on a free port of this machine. */
export async function startFlatServer({ probe, commandMs, flash }: FlatServerOptions): Promise<FlatServer> {
  const board = new Board({ seed: 1, flash });
  board.powerOn();
  let commands = 0;
  const stlink = new VirtualStlink({ board, identity: probe, cost: { commandNs: commandMs * 1e6 } });
  let answeredAt = performance.now();
  const shared: SharedProbe = {
    identity: stlink.identity,
    serial: stlink.identity.serial,
    dataLength: (command) => stlink.dataLength(command),
    exchange: (command, dataOut, asked) => {
      const thoughtMs = Math.min(performance.now() - answeredAt, LONGEST_THOUGHT_MS);
      if (thoughtMs > 1) board.runTo(board.time.now + thoughtMs * 1e6);
      commands++;
      const { reply } = stlink.exchange(command, dataOut, asked);
      answeredAt = performance.now();
      return Promise.resolve(reply);
    },
  };
  const server = await listenStlinkServer(serverState(shared), 0, '127.0.0.1');
  return {
    port: server.port,
    board,
    get commands() {
      return commands;
    },
    get nowMs() {
      return board.time.now / 1e6;
    },
    close: () => server.close(),
  };
}
