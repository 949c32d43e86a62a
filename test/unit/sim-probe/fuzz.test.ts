// Thousands of seeded random commands: the virtual probe never throws and always answers with the length it announced.
import assert from 'node:assert/strict';
import { IDENTITIES } from '../../../sim/stlink/identity.ts';
import type { IdentityName } from '../../../sim/stlink/identity.ts';
import { DEBUG } from '../../../sim/stlink/opcodes.ts';
import { bench, noise } from './bench.ts';

/** Random bytes shaped enough like commands to get somewhere. */
function command(random: ReturnType<typeof noise>): Uint8Array {
  const bytes = random.bytes(16);
  const codes = Object.values(DEBUG);
  if (random.below(10) > 0) bytes[0] = 0xf2;
  if (random.below(4) > 0) bytes[1] = codes[random.below(codes.length)]!;
  if (random.below(2) === 0) bytes.set([random.below(64) * 4, random.below(128), 0x00, 0x20], 2);
  if (random.below(2) === 0) bytes.set([random.below(65), 0], 6);
  if (random.below(3) > 0) bytes[8] = 0;
  if (bytes[1] === DEBUG.rwMiscOut && random.below(2) === 0) bytes.set([random.below(9), 0, 0, 0], 2);
  if (bytes[1] === DEBUG.enter && random.below(2) === 0) bytes[2] = 0xa3;
  return bytes;
}

describe('virtual ST-LINK under fuzzing', () => {
  for (const identity of Object.keys(IDENTITIES) as IdentityName[])
    it(`keeps its lengths as ${identity}`, () => {
      const random = noise(identity.length * 7919);
      const { board, probe, attach } = bench({ identity });
      attach();
      for (let i = 0; i < 3000; i++) {
        if (random.below(100) === 0) attach();
        if (random.below(200) === 0) board.powerUps++;
        const request = command(random);
        const data = random.bytes(probe.dataLength(request));
        const expected = probe.replyLength(request);
        const before = board.time.now;
        const { reply } = probe.exchange(request, random.below(20) === 0 ? undefined : data);
        assert.equal(reply.length, expected, Buffer.from(request).toString('hex'));
        assert.ok(reply.length <= 6144 + 4096 && board.time.now > before);
      }
    });
});
