// A job with room and tunnel put together from ports: what a command, a service or a scenario test calls.
import type { JobRecord } from './job-record.ts';
import { publicInviteOf } from './job-record.ts';
import { startJob } from './job.ts';
import type { JobOptions, JobResult, OpenTransport, RunningJob, TransportEvents } from './ports.ts';
import { exchangeKeyPairFrom, psk, signingKeyPairFrom } from '../../shared/crypto/keys.ts';
import { publicInviteHash } from '../../shared/tunnel/invite.ts';
import type { Link } from '../../shared/ports.ts';
import { relayNameOf } from '../../shared/link/ticket.ts';
import { RoomClient } from '../../shared/link/room-client.ts';
import { Tunnel } from '../../shared/tunnel/tunnel.ts';

export interface ControllerJobOptions extends JobOptions {
  /** Opens one link to the relay; an in-memory one will do. */
  readonly dial: () => Promise<Link>;
  /** How long a lost relay is sought, milliseconds. */
  readonly roomPatienceMs?: number;
}

/** Begins a job in the room of its record. */
export function startControllerJob(options: ControllerJobOptions): RunningJob {
  return startJob(options, transportThroughRoom(options));
}

/** Runs a job to its end. Rejects with a BlindflashError whose detail says in what state the board is. */
export function runControllerJob(options: ControllerJobOptions): Promise<JobResult> {
  return startControllerJob(options).done;
}

/** The transport over a relay: room client below, tunnel above. */
function transportThroughRoom(options: ControllerJobOptions): OpenTransport {
  return (events) => {
    const room = roomFor(options);
    const tunnel = tunnelFor(options, events);
    const peer = (present: boolean): void => {
      if (present) tunnel.attachLink((body) => void room.send(body));
      else tunnel.linkLost();
      events.onPeer(present);
    };
    room.onPeer = peer;
    room.onDown = () => peer(false);
    room.onData = (body) => tunnel.receive(body);
    room.onEnd = (error) => events.onFailed(error);
    room.start();
    return {
      send: (message) => tunnel.send(message),
      get unacknowledged() {
        return tunnel.unacknowledged;
      },
      close: () => {
        tunnel.close();
        room.close();
      },
    };
  };
}

function roomFor(options: ControllerJobOptions): RoomClient {
  const { record, dial, clock, random, log, roomPatienceMs } = options;
  const { relayUrl, controllerTicket, holderSeed } = record.room;
  return new RoomClient({
    dial,
    dialledHost: relayNameOf(relayUrl),
    clock,
    random,
    log,
    ticket: controllerTicket,
    holderSecretKey: signingKeyPairFrom('holder', holderSeed).secretKey,
    ...(roomPatienceMs === undefined ? {} : { patienceMs: roomPatienceMs }),
  });
}

function tunnelFor({ record, clock, random, log }: ControllerJobOptions, events: TransportEvents): Tunnel {
  const { room } = record satisfies JobRecord;
  return new Tunnel({
    role: 'controller',
    keyPair: exchangeKeyPairFrom('tunnel', room.tunnelSecret),
    publicInviteHash: publicInviteHash(publicInviteOf(room)),
    inviteSecret: room.inviteSecret === undefined ? undefined : psk(room.inviteSecret),
    resumeSecret: room.resumeSecret === undefined ? undefined : psk(room.resumeSecret),
    clock,
    random,
    log,
    events,
  });
}
