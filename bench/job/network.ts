// The network of a bench job: one TCP connection between each side and the relay, the whole round
// trip split between them.
import type { Link } from '../../shared/ports.ts';
import type { EventQueue } from '../../sim/event-queue.ts';
import type { Path } from '../../sim/network/path.ts';
import { tcpLinkPair, type LinkCounters, type TcpLinkPair } from '../../sim/network/tcp-link.ts';
import type { Side } from './messages.ts';

/** The way between controller and agent. Loss, jitter and rate are each leg's own. */
export interface Network extends Path {
  /** The agent's share of the round trip, 0..1; half when left out. */
  readonly agentShare?: number | undefined;
  /** Of the agent's leg, where it is not that of both. */
  readonly agentBitsPerSecond?: number | undefined;
}

/** TCP's handshake, TLS 1.3, the WebSocket upgrade. */
const DIAL_ROUND_TRIPS = 3;

/** Bytes one leg carried on the wire. */
export interface LegBytes {
  readonly leg: Side;
  readonly up: LinkCounters;
  readonly down: LinkCounters;
}

export class MeasuredNetwork {
  readonly #queue: EventQueue;
  readonly #network: Network;
  readonly #seed: number;
  readonly #pairs: { readonly side: Side; readonly pair: TcpLinkPair }[] = [];

  constructor(queue: EventQueue, network: Network, seed: number) {
    this.#queue = queue;
    this.#network = network;
    this.#seed = seed;
  }

  /** A connection from one side to the relay, which gets its end when the dialling is over. */
  dial(side: Side, accept: (far: Link) => void): Promise<Link> {
    const path = legOf(this.#network, side);
    const pair = tcpLinkPair({ queue: this.#queue, path, seed: this.#seed + this.#pairs.length });
    this.#pairs.push({ side, pair });
    return new Promise((resolve) =>
      this.#queue.after(DIAL_ROUND_TRIPS * path.rttMs, () => {
        resolve(pair.near);
        // The caller must have its handlers in place before the relay speaks.
        this.#queue.after(0, () => accept(pair.far));
      }),
    );
  }

  legs(): LegBytes[] {
    return this.#pairs.map(({ side, pair }) => {
      const { out, back } = pair.counters();
      return { leg: side, up: out, down: back };
    });
  }
}

function legOf({ agentShare = 0.5, agentBitsPerSecond, ...path }: Network, side: Side): Path {
  if (side === 'controller') return { ...path, rttMs: path.rttMs * (1 - agentShare) };
  return { ...path, rttMs: path.rttMs * agentShare, bitsPerSecond: agentBitsPerSecond ?? path.bitsPerSecond };
}

/**
 * How long the TCP model itself takes to carry messages of these sizes from controller to agent, handed over at once,
 * on connections as young as the job's, ms.
 */
export async function transferMs(
  queue: EventQueue,
  network: Network,
  seed: number,
  sizes: readonly number[],
): Promise<number> {
  const first = tcpLinkPair({ queue, path: legOf(network, 'controller'), seed });
  const second = tcpLinkPair({ queue, path: legOf(network, 'agent'), seed: seed + 1 });
  first.far.onMessage = (message) => second.near.send(message);
  let left = sizes.length;
  second.far.onMessage = () => left--;
  const start = queue.now();
  for (const size of sizes) first.near.send(new Uint8Array(size));
  await queue.runUntil(() => left === 0);
  return queue.now() - start;
}
