// The session's promises, on the virtual desk: nothing before the yes, only the mailbox during the run, everything put back on
// every way out, and every way back (docs/protocol.md §11).
import assert from 'node:assert/strict';
import { ShortMemory, type AgentOutcome } from '../../../agent/ports.ts';
import { runAgentJob, type AgentJobOptions } from '../../../agent/session.ts';
import { silentLog } from '../../../shared/ports.ts';
import { encodePlan, type Plan } from '../../../shared/plan/plan.ts';
import type { BoardOptions } from '../../../sim/board.ts';
import { seededRandom } from '../../support/seeded.ts';
import { RecordingProbe } from './recording-probe.ts';
import { ControllerPeer, FLASH, INVITE, MemoryRoom, NotingCustomer, quietPlan, smallPlan } from './support.ts';
import { SealedVendor } from './vendor.ts';
import { STUBS, VirtualDesk } from './virtual-desk.ts';

const DHCSR = 0xe000edf0;
const AIRCR = 0xe000ed0c;
/** Words that say who the chip is and how its debug unit is set: all that may be read before the yes. */
const IDENTIFICATION: readonly (readonly [number, number])[] = [
  [0xe000ed00, 0xe000ed04], // CPUID
  [0xe000edf0, 0xe000edf4], // DHCSR
  [0xe000edfc, 0xe000ee00], // DEMCR
  [0xe0042000, 0xe0042010], // DBGMCU
  [0xe0002000, 0xe0002004], // FP_CTRL
  [0x40023c14, 0x40023c18], // OPTCR
  [0x1fff7a10, 0x1fff7a24], // UID, flash size
];
const MAILBOX: readonly (readonly [number, number])[] = [
  [0x20004000, 0x2002e000],
  [DHCSR, DHCSR + 4],
];

/** Flash content with a vector table that starts and an endless loop behind it. */
function imageOf(bytes: number): Uint8Array {
  const image = new Uint8Array(0x200000).fill(0xff);
  image.set(seededRandom(31).bytes(bytes));
  image.set([0x00, 0x00, 0x03, 0x20, 0x41, 0x00, 0x00, 0x08]);
  image.set([0xfe, 0xe7], 0x40);
  return image;
}

/** A desk, a room, a controller, and agents that come and go. */
class Scene {
  readonly desk: VirtualDesk;
  readonly memory = new ShortMemory();
  customer = new NotingCustomer();
  stop = new AbortController();
  probe: RecordingProbe;
  peer!: ControllerPeer;
  #controllerRoom: MemoryRoom;
  #agentRoom: MemoryRoom;

  constructor(options: BoardOptions = {}) {
    this.desk = new VirtualDesk({ flash: imageOf(4096), ...options });
    this.#controllerRoom = new MemoryRoom(this.clock);
    this.#agentRoom = new MemoryRoom(this.clock);
    this.probe = new RecordingProbe(this.desk.probe());
    this.#join();
  }

  get clock(): VirtualDesk['queue'] {
    return this.desk.queue;
  }

  #join(): void {
    this.#agentRoom.peer = this.#controllerRoom;
    this.#controllerRoom.peer = this.#agentRoom;
  }

  /** The controller, or the next process of it. */
  controller(resumeSecret?: Uint8Array): ControllerPeer {
    if (this.#controllerRoom.started) {
      this.#controllerRoom.close();
      this.#controllerRoom = new MemoryRoom(this.clock);
      this.#join();
    }
    this.peer = new ControllerPeer({
      clock: this.clock,
      room: this.#controllerRoom,
      resumeSecret,
      seed: resumeSecret === undefined ? 21 : 22,
    });
    return this.peer;
  }

  /** The agent, or the next process of it. */
  agent(change: Partial<AgentJobOptions> = {}): Promise<AgentOutcome> {
    if (this.#agentRoom.started) {
      this.#agentRoom.close();
      this.#agentRoom = new MemoryRoom(this.clock);
      this.probe = new RecordingProbe(this.desk.probe());
      this.stop = new AbortController();
      this.#join();
    }
    const known = this.memory.resumeSecret;
    return runAgentJob({
      probe: this.probe,
      room: this.#agentRoom,
      invite: INVITE,
      inviteSecret: known === undefined ? INVITE.secret : undefined,
      memory: this.memory,
      stubs: STUBS,
      customer: this.customer,
      clock: this.clock,
      random: seededRandom(known === undefined ? 40 : 41),
      log: silentLog,
      version: 'test',
      signal: this.stop.signal,
      ...change,
    });
  }

  /** The agent's process dies: no word, no restoring. */
  killAgent(): void {
    this.#agentRoom.cut = true;
    this.probe.die();
    this.desk.usb.unplug();
    this.desk.usb.replug();
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

  drive<T>(work: Promise<T>): Promise<T> {
    return this.clock.drive(work, this.clock.nowNs + 900e9);
  }

  word(address: number): number {
    return this.desk.board.bus.read(address, 4, 'debugger') >>> 0;
  }
}

const DEBUG_WORDS = [0xe0042004, 0xe0042008, 0xe004200c, 0xe000edfc, 0xe0002000];
const debugWords = (scene: Scene): number[] => DEBUG_WORDS.map((address) => scene.word(address));
const isDebugOn = (scene: Scene): boolean => (scene.word(DHCSR) & 1) === 1;

const TWO_SECTORS: Partial<Plan> = {
  sectors: [0, 1],
  ranges: [
    { address: FLASH, length: 16384, use: 'program' },
    { address: FLASH + 16384, length: 16384, use: 'program' },
  ],
};

describe('agent session', function () {
  this.timeout(60_000);

  describe('before the yes', () => {
    it('reads identification only, writes nothing, and says so', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      let seen: string[] = ['not asked'];
      let writes = -1;
      scene.customer.answer = async () => {
        seen = scene.probe.outside(...IDENTIFICATION);
        writes = scene.probe.accesses.filter(({ kind }) => kind !== 'read').length;
        return false;
      };
      const before = debugWords(scene);
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          const { hello } = await peer.expect('HELLO');
          assert.equal(hello.target.devId, 0x419);
          assert.equal(hello.target.flashKiB, 2048);
          assert.equal(hello.probe.millivolts! > 3000, true);
          peer.sendJob(smallPlan());
          const consent = await peer.expect('CONSENT');
          assert.equal(consent.yes, false);
          assert.equal((await peer.expect('LEFT')).left.board, 'untouched');
          return agent;
        })(),
      );
      assert.deepEqual(seen, []);
      assert.equal(writes, 0);
      assert.equal(outcome.result, 'declined');
      assert.equal(outcome.board, 'untouched');
      assert.deepEqual(debugWords(scene), before);
      assert.equal(isDebugOn(scene), false);
      assert.deepEqual([scene.probe.disconnected > 0, scene.probe.closed], [true, 1]);
      assert.equal(peer.names().indexOf('SHEET') < peer.names().indexOf('CONSENT'), true);
      assert.match(scene.customer.sheets[0]!.lines.join('\n'), /Nothing has been changed yet/);
    });

    it('takes no end of a job nobody agreed to', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await peer.expect('HELLO');
          peer.bye();
          return agent;
        })(),
      );
      assert.equal(outcome.result, 'failed');
      assert.equal(outcome.error?.code, 'BF-JOB-REFUSED');
    });

    it('ignores frames, handshakes and RESTART of a controller that has no consent', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await peer.expect('HELLO');
          peer.send({ name: 'FRAME', sequence: 1, box: new Uint8Array(192) });
          peer.send({ name: 'SEALED2', m2: new Uint8Array(128) });
          peer.send({ name: 'RESTART' });
          peer.bye(false);
          await peer.expect('LEFT');
          return agent;
        })(),
      );
      assert.equal(outcome.result, 'failed');
      assert.equal(outcome.byVendor, true);
      assert.equal(outcome.error?.code, 'BF-JOB-CODE-REFUSED');
      assert.equal(
        scene.probe.accesses.some(({ address }) => address >= 0x20000000 && address < 0x20030000),
        false,
      );
    });

    const REFUSED: readonly [string, BoardOptions, Plan | Uint8Array, string][] = [
      ['a plan for another chip', {}, smallPlan({ devId: 0x413, flashKiB: 1024 }), 'BF-PLAN-WRONG-CHIP'],
      ['a plan for a chip without a stub', {}, smallPlan({ devId: 0x441, flashKiB: 1024 }), 'BF-TARGET-WRONG-CHIP'],
      ['a plan for another flash size', {}, smallPlan({ flashKiB: 1024 }), 'BF-PLAN-WRONG-CHIP'],
      ['a plan that is none', {}, encodePlan(smallPlan()).fill(1, 4, 8), 'BF-PLAN-MALFORMED'],
      ['a plan outside its sectors', {}, smallPlan({ sectors: [1] }), 'BF-PLAN-RANGE'],
      ['a job on a protected chip', { rdp: 1 }, smallPlan(), 'BF-TARGET-RDP1'],
    ];
    for (const [what, board, plan, code] of REFUSED)
      it(`refuses ${what} without asking`, async () => {
        const scene = new Scene(board);
        const peer = scene.controller();
        const agent = scene.agent();
        const outcome = await scene.drive(
          (async () => {
            await peer.expect('HELLO');
            peer.sendJob(plan);
            const { problem } = await peer.expect('PROBLEM');
            assert.equal(problem.code, code);
            assert.equal(problem.board, 'untouched');
            return agent;
          })(),
        );
        assert.equal(outcome.error?.code, code);
        assert.equal(scene.customer.sheets.length, 0);
        assert.equal(isDebugOn(scene), false);
      });

    it('tells the customer alone when there is no chip, and leaves the room untouched', async () => {
      const scene = new Scene();
      scene.desk.board.powerOff();
      const outcome = await scene.drive(scene.agent());
      assert.match(outcome.error?.code ?? '', /^BF-TARGET-NO/);
      assert.equal(scene.probe.closed, 1);
      assert.equal(scene.memory.resumeSecret, undefined);
    });
  });

  describe('kinds without a stub', () => {
    it('info changes nothing and resets nothing', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, quietPlan('info'));
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          peer.bye();
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'untouched']);
      assert.equal(
        scene.probe.accesses.some(({ address }) => address === AIRCR),
        false,
      );
    });

    it('reset resets, after the debug unit is as it was', async () => {
      const scene = new Scene({ rdp: 1 });
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, quietPlan('reset', { flashKiB: 0 }));
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          peer.bye();
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.probe.accesses.at(-1)?.address, AIRCR);
      assert.equal(isDebugOn(scene), false);
    });
  });

  describe('while the stub runs', () => {
    it('touches only the mailbox and DHCSR during a whole session', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan(TWO_SECTORS));
      const agent = scene.agent();
      const before = debugWords(scene);
      let outside: string[] = ['not looked'];
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          scene.probe.accesses.length = 0;
          await vendor.write(imageOf(32768));
          await vendor.ask({ name: 'END' });
          outside = scene.probe.outside(...MAILBOX);
          peer.bye();
          return agent;
        })(),
      );
      assert.deepEqual(outside, []);
      assert.equal(
        scene.probe.accesses.every(({ kind }) => kind === 'read' || kind === 'write'),
        true,
      );
      assert.equal(outcome.result, 'done');
      // DEMCR's trace bit may have been set by us and is put back; the reset changes none of these.
      assert.deepEqual(debugWords(scene), before);
      assert.equal(isDebugOn(scene), false);
    });

    it('tells the vendor why the stub gave up, and starts another handshake on RESTART', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const plan = smallPlan();
      const vendor = new SealedVendor(peer, plan);
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          peer.send({ name: 'FRAME', sequence: 1, box: new Uint8Array(192) });
          const { problem } = await peer.expect('PROBLEM');
          assert.equal(problem.code, 'BF-STUB-AUTHENTICATION');
          assert.match(problem.detail, /box did not open/);
          assert.equal(problem.board, 'waiting');
          peer.send({ name: 'RESTART' });
          await vendor.shake();
          await vendor.write(imageOf(8192));
          await vendor.ask({ name: 'END' });
          peer.bye();
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(peer.received.filter(({ name }) => name === 'REPLY').length >= 4, true);
      assert.deepEqual(scene.desk.board.flash.bytes.slice(0, 8192), imageOf(8192).slice(0, 8192));
    });

    it('takes a wrong confirmation for what it is', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan());
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.answer((m2) => (m2[100]! ^= 1));
          const { problem } = await peer.expect('PROBLEM');
          assert.deepEqual([problem.code, problem.board], ['BF-STUB-AUTHENTICATION', 'waiting']);
          peer.bye(false);
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['failed', 'running']);
    });

    it('ends a job whose controller numbers its frames wrongly', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan());
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          peer.send({ name: 'FRAME', sequence: 9, box: new Uint8Array(192) });
          return agent;
        })(),
      );
      assert.equal(outcome.error?.code, 'BF-TUNNEL-ORDER');
      assert.equal(outcome.board, 'running');
      assert.equal(isDebugOn(scene), false);
    });
  });

  describe('interruptions', () => {
    it('Ctrl-C at the consent question leaves the board untouched', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      scene.customer.answer = () => {
        scene.stop.abort();
        return new Promise(() => {});
      };
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await peer.expect('HELLO');
          peer.sendJob(smallPlan());
          const { problem } = await peer.expect('PROBLEM');
          assert.deepEqual([problem.code, problem.board], ['BF-JOB-INTERRUPTED', 'untouched']);
          assert.equal((await peer.expect('LEFT')).left.board, 'untouched');
          return agent;
        })(),
      );
      assert.equal(outcome.error?.code, 'BF-JOB-INTERRUPTED');
      assert.equal(isDebugOn(scene), false);
    });

    it('Ctrl-C in the middle wipes the keys, restores, tells both sides; the next agent finishes the job', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const plan = smallPlan(TWO_SECTORS);
      const vendor = new SealedVendor(peer, plan);
      const first = scene.agent();
      const interrupted = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          await vendor.ask({ name: 'ERASE', sector: 0 });
          scene.stop.abort();
          const { problem } = await peer.expect('PROBLEM');
          assert.deepEqual([problem.code, problem.board], ['BF-JOB-INTERRUPTED', 'incomplete']);
          assert.equal((await peer.expect('LEFT')).left.board, 'incomplete');
          return first;
        })(),
      );
      assert.deepEqual([interrupted.result, interrupted.board], ['failed', 'incomplete']);
      assert.equal(isDebugOn(scene), false);
      assert.equal(scene.word(0x2002d004) >>> 24, 7, 'the stub has wiped its keys');
      const asked = scene.customer.sheets.length;
      const outcome = await scene.drive(
        (async () => {
          const second = scene.agent();
          assert.equal(await vendor.propose(), true);
          await vendor.shake();
          await vendor.write(imageOf(32768));
          await vendor.ask({ name: 'END' });
          peer.bye();
          return second;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.customer.sheets.length, asked, 'the customer is not asked twice for one plan');
      assert.equal(scene.memory.resumeSecret, undefined, 'nothing is kept of a job that is over');
    });

    it('an unplugged probe ends the job with its own code and keeps the way back', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan());
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          await vendor.ask({ name: 'ERASE', sector: 0 });
          scene.desk.usb.unplug();
          const { problem } = await peer.expect('PROBLEM');
          assert.deepEqual([problem.code, problem.board], ['BF-PROBE-UNPLUGGED', 'incomplete']);
          return agent;
        })(),
      );
      assert.deepEqual([outcome.error?.code, outcome.board], ['BF-PROBE-UNPLUGGED', 'waiting']);
      assert.notEqual(scene.memory.resumeSecret, undefined);
      assert.equal(scene.memory.stubLoaded, true);
    });
  });

  describe('ways back', () => {
    it('a killed agent is followed by one that halts and resets nothing, and asks nobody', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan(TWO_SECTORS));
      const original = debugWords(scene);
      void scene.agent();
      await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          await vendor.ask({ name: 'ERASE', sector: 0 });
        })(),
      );
      scene.killAgent();
      const asked = scene.customer.sheets.length;
      let outside: string[] = ['not looked'];
      const outcome = await scene.drive(
        (async () => {
          const second = scene.agent();
          assert.equal(await vendor.propose(), true);
          await vendor.shake();
          outside = scene.probe.outside(...MAILBOX);
          await vendor.write(imageOf(32768));
          await vendor.ask({ name: 'END' });
          peer.bye();
          return second;
        })(),
      );
      assert.deepEqual(
        outside,
        ['read e0042000+4'],
        'no halt, no reset; DEV_ID only, to know where to look for the stub',
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.customer.sheets.length, asked);
      assert.deepEqual(debugWords(scene), original, 'restored to what the first agent found');
      assert.deepEqual(scene.desk.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('on another part the stub is found where that part has it', async () => {
      const scene = new Scene({ chip: 'stm32f405', flash: imageOf(4096).slice(0, 0x100000) });
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan({ ...TWO_SECTORS, devId: 0x413, flashKiB: 1024 }));
      void scene.agent();
      await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          await vendor.ask({ name: 'ERASE', sector: 0 });
        })(),
      );
      scene.killAgent();
      const loaded = (): number =>
        scene.probe.accesses.filter(({ kind, address }) => kind === 'write' && address === 0x20000000).length;
      const outcome = await scene.drive(
        (async () => {
          const second = scene.agent();
          assert.equal(await vendor.propose(), true);
          await vendor.shake();
          assert.equal(loaded(), 0, 'it is gone on with, not loaded again');
          await vendor.write(imageOf(32768));
          await vendor.ask({ name: 'END' });
          peer.bye();
          return second;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.deepEqual(scene.desk.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('a killed agent is followed by one that serves the same sealed session on, if the controller goes on', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan());
      void scene.agent();
      await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          await vendor.ask({ name: 'ERASE', sector: 0 });
        })(),
      );
      scene.killAgent();
      const pong = await scene.drive(
        (async () => {
          void scene.agent();
          await peer.expect('HELLO');
          return vendor.ask({ name: 'PING' });
        })(),
      );
      assert.equal(pong.name, 'PONG');
    });

    it('a new controller process gets a new sealed session without another question', async () => {
      const scene = new Scene();
      const plan = smallPlan(TWO_SECTORS);
      const lost = new SealedVendor(scene.controller(), plan);
      const agent = scene.agent();
      await scene.drive(
        (async () => {
          await lost.propose();
          await lost.shake();
          await lost.ask({ name: 'ERASE', sector: 0 });
        })(),
      );
      const secret = scene.peer.resumeSecret;
      const peer = scene.controller(secret);
      const vendor = new SealedVendor(peer, plan);
      const outcome = await scene.drive(
        (async () => {
          assert.equal(await vendor.propose(), true);
          peer.send({ name: 'RESTART' });
          await vendor.shake();
          await vendor.write(imageOf(32768));
          await vendor.ask({ name: 'END' });
          peer.bye();
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.customer.sheets.length, 1);
      assert.equal(peer.received.filter(({ name }) => name === 'SEALED1').length, 1, 'RESTART crossed an offer');
    });

    it('another plan in the same room needs another yes', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan());
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          scene.customer.answer = () => Promise.resolve(false);
          peer.sendJob(smallPlan({ label: 'another' }));
          assert.equal((await peer.expect('CONSENT')).yes, false);
          return agent;
        })(),
      );
      assert.equal(scene.customer.sheets.length, 2);
      assert.deepEqual([outcome.result, outcome.board], ['declined', 'running']);
    });

    it('a board that lost its power is given a new stub on RESTART', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan());
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          await vendor.ask({ name: 'ERASE', sector: 0 });
          scene.desk.board.powerOff();
          const { problem } = await peer.expect('PROBLEM');
          assert.match(problem.code, /^BF-(TARGET|STUB)-/);
          assert.equal(problem.board, 'incomplete');
          scene.desk.board.powerOn();
          peer.send({ name: 'RESTART' });
          await vendor.shake();
          await vendor.write(imageOf(8192));
          await vendor.ask({ name: 'END' });
          peer.bye();
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.customer.sheets.length, 1);
    });

    it('a reset button pressed in the middle is noticed and told', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan());
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          scene.desk.board.assertNrst();
          scene.desk.board.releaseNrst();
          const { problem } = await peer.expect('PROBLEM');
          assert.deepEqual([problem.code, problem.board], ['BF-STUB-SILENT', 'untouched']);
          peer.bye(false);
          return agent;
        })(),
      );
      assert.equal(outcome.result, 'failed');
      assert.equal(isDebugOn(scene), false);
    });

    it('a lost link costs nothing but time', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan(TWO_SECTORS));
      const agent = scene.agent();
      const outcome = await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          for (const ms of [320, 700, 900]) scene.clock.after(ms, () => scene.loseLink(100));
          await vendor.write(imageOf(32768));
          await vendor.ask({ name: 'END' });
          peer.bye();
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(peer.received.filter(({ name }) => name === 'SEALED1').length, 1);
      assert.equal(
        scene.customer.said.some((text) => text.includes('interrupted')),
        true,
      );
      assert.deepEqual(scene.desk.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('an idle limit that runs out is told as such', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      const vendor = new SealedVendor(peer, smallPlan({ idleLimitMs: 1000 }));
      const agent = scene.agent();
      await scene.drive(
        (async () => {
          await vendor.propose();
          await vendor.shake();
          const { problem } = await peer.expect('PROBLEM');
          assert.deepEqual([problem.code, problem.board], ['BF-JOB-EXPIRED', 'waiting']);
          peer.bye(false);
          return agent;
        })(),
      );
    });
  });
});
