// The agent's serial transport against the loader's own code (docs/serial-link.md): found by its knock, taken to the
// highest bit rate, a whole install over a line that is quiet, disturbed, or unplugged in the middle.
import assert from 'node:assert/strict';
import { pause } from '../../../agent/probe/deadline.ts';
import { SerialTransport } from '../../../agent/transport/serial/serial-transport.ts';
import type { BoxSession } from '../../../shared/crypto/session.ts';
import { planHash } from '../../../shared/plan/plan.ts';
import { silentLog } from '../../../shared/ports.ts';
import { respondSealed } from '../../../shared/sealed/handshake.ts';
import { decodeReply, encodeCommand, type Command } from '../../../shared/sealed/messages.ts';
import { decodeStubFacts, encodeSessionChoice } from '../../../shared/sealed/payloads.ts';
import { SEALED_SUITES } from '../../../shared/sealed/protocol.ts';
import type { Board } from '../../../sim/board.ts';
import type { EventQueue } from '../../../sim/event-queue.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { installPlan } from './loader-controller.ts';
import { CONFIG, FLASH, IMAGE, planted, rootOf, runMs, spinning, vendorKeys, type Planted } from './loader-fixture.ts';
import { adapterOf, queueOf } from './loader-line.ts';

/** Until a new board has made its keys, ms. */
const MADE = 60;
const IMAGE_BYTES = 20 * 1024;
const BOOT_BYTES = 64;
const DATA_MOST = 4032;
/** Virtual time of one install at most, ns. */
const LIMIT_NS = 60e9;

interface Ends {
  readonly board: Board;
  readonly queue: EventQueue;
  readonly source: ReturnType<typeof adapterOf>;
  readonly transport: SerialTransport;
}

async function ends(what: Planted = {}): Promise<Ends> {
  const board = planted(what);
  runMs(board, MADE);
  const queue = await queueOf(board);
  const source = adapterOf(board, queue);
  return { board, queue, source, transport: new SerialTransport({ source, clock: queue, log: silentLog }) };
}

/** A session of the suite `device`, as a controller has it that knows D_s from M1. */
async function begin(transport: SerialTransport, planBytes: Uint8Array): Promise<BoxSession> {
  const random = seededRandom(9);
  const hostEntropy = random.bytes(32);
  const { m1, stubHash } = await transport.giveJob({ sealedPublic: vendorKeys.publicKey, hostEntropy, planBytes });
  const responder = respondSealed({
    suite: SEALED_SUITES.device,
    staticKey: vendorKeys,
    contexts: [stubHash, planHash(planBytes), decodeStubFacts(m1.slice(64)).deviceKey],
    payload2: encodeSessionChoice(random.bytes(16)),
    random,
    m1,
  });
  return responder.receiveM3(await transport.giveM2(responder.m2)).session;
}

function commandsFor(image: Uint8Array): Command[] {
  const erased = image.slice();
  erased.fill(0xff, 0, BOOT_BYTES);
  const commands: Command[] = [{ name: 'ERASE', sector: 4 }];
  for (let at = BOOT_BYTES; at < image.length; at += DATA_MOST) {
    commands.push({ name: 'IMAGE', address: IMAGE + at, data: image.slice(at, at + DATA_MOST) });
  }
  const root = rootOf(IMAGE, erased);
  return [...commands, { name: 'FINAL', root, bootWords: image.slice(0, BOOT_BYTES) }, { name: 'END' }];
}

/** Installs an image; `meanwhile` is called after every turn. Returns the names of the replies. */
async function install(on: Ends, image: Uint8Array, meanwhile: () => void = () => {}): Promise<string[]> {
  const { transport, queue } = on;
  const session = await begin(transport, installPlan(image));
  for (const command of commandsFor(image)) transport.queue(session.seal(encodeCommand(command)));
  const replies: string[] = [];
  for (;;) {
    const { state, replies: fresh, pauseMs } = await transport.turn();
    for (const { sequence, box } of fresh) replies.push(decodeReply(session.open(box, sequence)).name);
    if (state === 'ended') return replies;
    meanwhile();
    await pause(queue, pauseMs);
  }
}

describe('serial link: the agent and the loader', function () {
  this.timeout(180_000);

  it('meet by a knock and go up to the rate of the config, which tells who is there', async () => {
    for (const baudMost of [921_600, 460_800, 230_400]) {
      const { queue, transport } = await ends({ config: { baudMost } });
      const ident = await queue.drive(transport.open(3000));
      assert.equal(transport.rate, baudMost);
      assert.deepEqual([ident.product, ident.devId, (ident.optcr >>> 8) & 0xff], [CONFIG.product, 0x419, 0x55]);
      assert.equal(await queue.drive(transport.state()), 'waiting');
      await queue.drive(transport.close());
    }
  });

  const installs = async (disturb: (on: Ends) => () => void): Promise<void> => {
    const on = await ends();
    const image = spinning(IMAGE_BYTES);
    const work = async (): Promise<string[]> => {
      await on.transport.open(3000);
      const replies = await install(on, image, disturb(on));
      await on.transport.close();
      return replies;
    };
    assert.deepEqual(await on.queue.drive(work(), LIMIT_NS), ['ERASED', 'WRITTEN', 'ENDED']);
    assert.deepEqual(on.board.flash.bytes.slice(IMAGE - FLASH, IMAGE - FLASH + IMAGE_BYTES), image);
    assert.equal(on.transport.rate, 921_600);
  };

  it('install an image over a quiet line', () => installs(() => () => {}));

  it('install an image while pulses of noise damage one packet in six, and characters come late', () =>
    installs(({ board }) => {
      board.serial('USART1').noise = { flips: 0, pulsesPerSecond: 4, jitter: 0.5 };
      return () => {};
    }));

  it('install an image although the adapter is unplugged for two seconds', () =>
    installs(({ source, queue, transport }) => {
      let pulled = false;
      return () => {
        if (pulled || transport.accepted < 2) return;
        pulled = true;
        source.virtual.unplug();
        queue.after(2000, () => source.virtual.plug());
      };
    }));
});
