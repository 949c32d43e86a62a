// The whole customer's side with nothing scripted below the tunnel: driver, virtual ST-LINK, real
// stub, real flash controller.
import assert from 'node:assert/strict';
import { runAgentJob, type AgentJobOptions } from '../../../agent/session/agent-session.ts';
import { ShortMemory, type AgentOutcome } from '../../../agent/session/ports.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { silentLog } from '../../../shared/ports.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { ControllerPeer, FLASH, INVITE, NotingCustomer, roomPair, smallPlan } from './support.ts';
import { SealedVendor } from './vendor.ts';
import { STUBS, BoardFixture } from '../../fixtures/board.ts';

/** Flash content with a vector table that starts, noise behind it. */
function imageOf(bytes: number): Uint8Array {
  const image = new Uint8Array(0x200000).fill(0xff);
  image.set(seededRandom(31).bytes(bytes));
  image.set([0x00, 0x00, 0x03, 0x20, 0x41, 0x00, 0x00, 0x08]);
  image.set([0xfe, 0xe7], 0x40); // b .
  return image;
}

function agentOptions(hardware: BoardFixture, change: Partial<AgentJobOptions>): AgentJobOptions {
  return {
    probe: hardware.probe(),
    room: roomPair(hardware.queue).agent,
    invite: INVITE,
    inviteSecret: INVITE.secret,
    memory: new ShortMemory(),
    stubs: STUBS,
    customer: new NotingCustomer(),
    clock: hardware.queue,
    random: seededRandom(40),
    log: silentLog,
    version: 'test',
    verify: verifyEd25519,
    ...change,
  };
}

describe('agent with a virtual board', function () {
  this.timeout(60_000);

  it('flashes an image end to end and leaves the board running it', async () => {
    const hardware = new BoardFixture();
    const plan = smallPlan({
      sectors: [0, 1],
      ranges: [
        { address: FLASH, length: 16384, use: 'program' },
        { address: FLASH + 16384, length: 8192, use: 'program' },
      ],
    });
    const image = imageOf(24576);
    const rooms = roomPair(hardware.queue);
    const peer = new ControllerPeer({ clock: hardware.queue, room: rooms.controller });
    const vendor = new SealedVendor(peer, plan);
    const customer = new NotingCustomer();
    const agent = runAgentJob(agentOptions(hardware, { room: rooms.agent, customer }));
    const script = async (): Promise<AgentOutcome> => {
      assert.equal(await vendor.propose(), true);
      await vendor.shake();
      const written = await vendor.write(image);
      assert.equal(written.name, 'WRITTEN');
      assert.equal((await vendor.ask({ name: 'END' })).name, 'ENDED');
      peer.bye(vendor.receipt());
      assert.equal((await peer.expect('LEFT')).left.board, 'running');
      return agent;
    };
    const outcome = await hardware.queue.drive(script(), 120e9);
    assert.equal(outcome.result, 'done');
    assert.equal(outcome.board, 'running');
    assert.deepEqual(hardware.board.flash.bytes.slice(0, 24576), image.slice(0, 24576));
    assert.equal(await peer.tunnel.checkCode(customer.codes[0] ?? ''), 'right');
    if (process.env['AGENT_TIMES'] !== undefined) {
      console.log(hardware.queue.now(), peer.names().join(' '), customer.said);
    }
  });
});
