// A board with its probe, a room and a scripted controller, where agents come and go: what the tests of the agent's
// session play on.
import { ShortMemory, type AgentOutcome } from '../../../agent/session/ports.ts';
import { runAgentJob, type AgentJobOptions } from '../../../agent/session/agent-session.ts';
import { psk } from '../../../shared/crypto/keys.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { silentLog } from '../../../shared/ports.ts';
import type { InviteState } from '../../../shared/tunnel/invite-state.ts';
import type { Plan } from '../../../shared/plan/plan.ts';
import type { BoardOptions } from '../../../sim/board.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { RecordingProbe } from './recording-probe.ts';
import { ControllerPeer, FLASH, INVITE, MemoryRoom, NotingCustomer } from './support.ts';
import { SealedVendor } from './vendor.ts';
import { STUBS, BoardFixture } from '../../fixtures/board.ts';

const DHCSR = 0xe000edf0;
/** All that an agent touches while the stub runs. */
export const MAILBOX: readonly (readonly [number, number])[] = [
  [0x20004000, 0x2002e000],
  [DHCSR, DHCSR + 4],
];

/** Flash content with a vector table that starts and an endless loop behind it. */
export function imageOf(bytes: number): Uint8Array {
  const image = new Uint8Array(0x200000).fill(0xff);
  image.set(seededRandom(31).bytes(bytes));
  image.set([0x00, 0x00, 0x03, 0x20, 0x41, 0x00, 0x00, 0x08]);
  image.set([0xfe, 0xe7], 0x40);
  return image;
}

/** A board with its probe, a room, a controller, and agents that come and go. */
export class AgentFixture {
  readonly hardware: BoardFixture;
  readonly memory = new ShortMemory();
  customer = new NotingCustomer();
  stop = new AbortController();
  probe: RecordingProbe;
  peer!: ControllerPeer;
  #controllerRoom: MemoryRoom;
  #agentRoom: MemoryRoom;
  #agents = 0;

  constructor(options: BoardOptions = {}) {
    this.hardware = new BoardFixture({ flash: imageOf(4096), ...options }, {}, true);
    this.#controllerRoom = new MemoryRoom(this.clock);
    this.#agentRoom = new MemoryRoom(this.clock);
    this.probe = new RecordingProbe(this.hardware.probe());
    this.#join();
  }

  get clock(): BoardFixture['queue'] {
    return this.hardware.queue;
  }

  #join(): void {
    this.#agentRoom.peer = this.#controllerRoom;
    this.#controllerRoom.peer = this.#agentRoom;
  }

  /** The controller, or the next process of it. */
  controller(state?: InviteState): ControllerPeer {
    if (this.#controllerRoom.started) {
      this.#controllerRoom.close();
      this.#controllerRoom = new MemoryRoom(this.clock);
      this.#join();
    }
    this.peer = new ControllerPeer({
      clock: this.clock,
      room: this.#controllerRoom,
      state,
      seed: state === undefined ? 21 : 22,
    });
    return this.peer;
  }

  /** The agent, or the next process of it. */
  agent(change: Partial<AgentJobOptions> = {}): Promise<AgentOutcome> {
    if (this.#agentRoom.started) {
      this.#agentRoom.close();
      this.#agentRoom = new MemoryRoom(this.clock);
      this.probe = new RecordingProbe(this.hardware.probe());
      this.stop = new AbortController();
      this.#join();
    }
    const process = this.#agents++;
    return runAgentJob({
      probe: this.probe,
      room: this.#agentRoom,
      invite: INVITE,
      inviteSecret: psk(INVITE.secret),
      memory: this.memory,
      stubs: STUBS,
      customer: this.customer,
      clock: this.clock,
      random: seededRandom(40 + process),
      log: silentLog,
      version: 'test',
      verify: verifyEd25519,
      signal: this.stop.signal,
      ...change,
    });
  }

  /** The agent's process dies: no word, no restoring. */
  killAgent(): void {
    this.#agentRoom.cut = true;
    this.probe.die();
    this.hardware.usb.unplug();
    this.hardware.usb.replug();
  }

  /** The link is gone for a while; both sides are told, and what was on the way is lost. */
  loseLink(ms: number): void {
    const rooms = [this.#agentRoom, this.#controllerRoom];
    for (const room of rooms) {
      room.cut = true;
      room.onPeer(false);
    }
    this.clock.after(ms, () => {
      for (const room of rooms) room.cut = false;
      for (const room of rooms) room.onPeer(true);
    });
  }

  /** An agent starts, `script` plays, and the agent ends. */
  play(script: () => Promise<void>): Promise<AgentOutcome> {
    const agent = this.agent();
    return this.drive(script().then(() => agent));
  }

  drive<T>(work: Promise<T>): Promise<T> {
    return this.clock.drive(work, this.clock.nowNs + 900e9);
  }

  word(address: number): number {
    return this.hardware.board.bus.read(address, 4, 'debugger') >>> 0;
  }
}

/** A fixture whose controller has `plan` for the board. */
export function fixtureWithVendor(
  plan: Plan,
  board: BoardOptions = {},
): { fixture: AgentFixture; peer: ControllerPeer; vendor: SealedVendor } {
  const fixture = new AgentFixture(board);
  const peer = fixture.controller();
  return { fixture, peer, vendor: new SealedVendor(peer, plan) };
}

const DEBUG_WORDS = [0xe0042004, 0xe0042008, 0xe004200c, 0xe000edfc, 0xe0002000];
export const debugWords = (fixture: AgentFixture): number[] => DEBUG_WORDS.map((address) => fixture.word(address));
export const isDebugOn = (fixture: AgentFixture): boolean => (fixture.word(DHCSR) & 1) === 1;

export const TWO_SECTORS: Partial<Plan> = {
  sectors: [0, 1],
  ranges: [
    { address: FLASH, length: 16384, use: 'program' },
    { address: FLASH + 16384, length: 16384, use: 'program' },
  ],
};
