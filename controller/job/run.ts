// A job with room and tunnel put together from ports: what a command, a service or a scenario test calls.
import type { JobRecord } from '../store/job-record.ts';
import { publicInviteOf } from '../store/job-record.ts';
import { startJob } from './job.ts';
import type { JobOptions, JobResult, OpenJobTunnel, RunningJob, JobTunnelEvents } from './ports.ts';
import { wipe } from '../../shared/codec/bytes.ts';
import {
  exchangeKeyPairFrom,
  signingKeyPairFrom,
  type ExchangeKeyPair,
  type SigningKeyPair,
} from '../../shared/crypto/keys.ts';
import { publicInviteHash } from '../../shared/tunnel/invite.ts';
import type { Link } from '../../shared/ports.ts';
import { relayNameOf } from '../../shared/link/ticket.ts';
import { RoomClient } from '../../shared/link/room-client.ts';
import { ControllerTunnel } from '../../shared/tunnel/controller-tunnel.ts';

export interface ControllerJobOptions extends JobOptions {
  /** Opens one link to the relay; an in-memory one will do. */
  readonly dial: () => Promise<Link>;
}

/** Begins a job in the room of its record. */
export function startControllerJob(options: ControllerJobOptions): RunningJob {
  return startJob(options, tunnelThroughRoom(options));
}

/** Runs a job to its end. Rejects with a BlindflashError whose detail says in what state the board is. */
export function runControllerJob(options: ControllerJobOptions): Promise<JobResult> {
  return startControllerJob(options).done;
}

/** A job's tunnel over a relay: room client below, tunnel above. */
function tunnelThroughRoom(options: ControllerJobOptions): OpenJobTunnel {
  return (events) => {
    const { tunnelSecret, holderSeed } = options.record.room;
    const [keyPair, holder] = [exchangeKeyPairFrom('tunnel', tunnelSecret), signingKeyPairFrom('holder', holderSeed)];
    const room = roomFor(options, holder);
    const tunnel = tunnelFor(options, keyPair, events);
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
      checkCode: (typed) => tunnel.checkCode(typed),
      proved: () => tunnel.proved(),
      sealedSessionId: (m1) => tunnel.sealedSessionId(m1),
      spend: (why) => tunnel.spend(why),
      revoke: () => room.revoke(),
      close: () => {
        tunnel.close();
        room.close();
        wipe(keyPair.secretKey, holder.secretKey);
      },
    };
  };
}

function roomFor(options: ControllerJobOptions, holder: SigningKeyPair<'holder'>): RoomClient {
  const { record, dial, clock, random, log } = options;
  const { relayUrl, controllerTicket } = record.room;
  return new RoomClient({
    dial,
    dialledHost: relayNameOf(relayUrl),
    clock,
    random,
    log,
    ticket: controllerTicket,
    holderSecretKey: holder.secretKey,
  });
}

function tunnelFor(
  { record, clock, random, log }: ControllerJobOptions,
  keyPair: ExchangeKeyPair<'tunnel'>,
  events: JobTunnelEvents,
): ControllerTunnel {
  const { room } = record satisfies JobRecord;
  return new ControllerTunnel({
    keyPair,
    publicInviteHash: publicInviteHash(publicInviteOf(room)),
    state: room.invite,
    clock,
    random,
    log,
    events,
  });
}
