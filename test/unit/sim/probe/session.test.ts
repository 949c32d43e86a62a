// The virtual ST-LINK says, byte for byte, what the sessions of docs/reference/stlink.md §3.1, §2.5, §3.5 say.
import assert from 'node:assert/strict';
import { probeFixture, bytes } from './probe-fixture.ts';

const OK = '80 00';
const RW_OK = '80 00 00 00 00 00 00 00 00 00 00 00';
const NOTHING = '';

describe('virtual ST-LINK: the minimal session', () => {
  it('answers every line of §3.1 as written there', () => {
    const { board, send } = probeFixture();
    board.registers[15] = 0x08000123;
    for (let i = 0; i < 16; i++) board.ram[i] = 0xa0 + i;
    const lines: [string, string, string?][] = [
      ['f1', '29 47 83 04 48 37'],
      ['f5', '01 00'],
      ['f7', 'dc 05 00 00 ef 07 00 00'],
      ['f2 43 01 00', OK],
      ['f2 30 a3', OK],
      ['f5', '02 00'],
      ['f2 31', '80 00 00 00 77 14 a0 2b 00 00 00 00'],
      ['f2 4b 00', OK],
      ['f2 07 00 ed 00 e0 04 00', '41 c2 0f 41'],
      ['f2 3e', RW_OK],
      ['f2 35 f0 ed 00 e0 03 00 5f a0', OK],
      ['f2 36 f0 ed 00 e0', '80 00 00 00 03 00 03 00'],
      ['f2 33 0f', '80 00 00 00 23 01 00 08'],
      ['f2 34 00 00 00 00 20', OK],
      ['f2 0c 01 00 00 20 07 00', 'a1 a2 a3 a4 a5 a6 a7'],
      ['f2 3e', RW_OK],
      ['f2 0c 01 00 00 20 01 00', 'a1 00'],
      ['f2 47 02 00 00 20 06 00', 'a2 a3 a4 a5 a6 a7'],
      ['f2 08 10 00 00 20 0c 00', NOTHING, '01 02 03 04 05 06 07 08 09 0a 0b 0c'],
      ['f2 3e', RW_OK],
      ['f2 0d 21 00 00 20 05 00', NOTHING, '11 12 13 14 15'],
      ['f2 3e', RW_OK],
      ['f2 45 ff ff 04 00', '80 00 00 00 00 00 00 f0'],
      ['f2 46 ff ff 04 00 00 00 00 50', OK],
      ['f2 45 00 00 fc 00', '80 00 00 00 11 00 77 24'],
      ['f2 35 f0 ed 00 e0 01 00 5f a0', OK],
      ['f2 32', OK],
      ['f2 3c 00', OK],
      ['f2 3c 01', OK],
      ['f2 3c 02', OK],
      ['f2 35 f0 ed 00 e0 00 00 5f a0', OK],
      ['f2 4c 00', OK],
      ['f2 21', NOTHING],
      ['f5', '01 00'],
    ];
    for (const [command, reply, data] of lines) assert.equal(send(command, data), reply, command);
    assert.equal(board.registers[0], 0x20000000);
    assert.deepEqual(board.ram.subarray(0x10, 0x1c), bytes('01 02 03 04 05 06 07 08 09 0a 0b 0c'));
    assert.deepEqual(board.ram.subarray(0x20, 0x27), bytes('00 11 12 13 14 15 00'));
    assert.deepEqual(
      board.nrst.map((event) => event.split('@')[0]),
      ['low', 'high', 'low', 'high'],
    );
    assert.ok(board.log.includes('w32 e000ed0c=5fa0004'), 'RESETSYS goes through AIRCR');
  });

  it('answers as a V3: FB, 62, 61 instead of 43', () => {
    const { send } = probeFixture({ identity: 'v3' });
    assert.equal(send('f1'), '30 00 83 04 4f 37');
    assert.equal(send('fb'), '03 00 0a 03 00 00 00 00 83 04 4f 37');
    assert.equal(send('f2 61 00 00 a0 0f 00 00'), '80 00 00 00 e4 0c 00 00');
    const list = bytes(send('f2 62 00'));
    assert.equal(list.length, 52);
    const words = new Uint32Array(list.buffer, 0, 13);
    assert.deepEqual([...words], [0x80, 3300, 7, 24000, 8000, 3300, 1000, 200, 50, 5, 0, 0, 0]);
    assert.equal(send('f2 43 01 00'), '42 00');
    assert.equal(send('f2 63 01'), '40 00 00 00 00 00 00 00');
  });

  it('answers as a V2-1 J40 M27, and V3 commands stay unknown to a V2', () => {
    assert.equal(probeFixture({ identity: 'v2-1' }).send('f1'), '2a 1b 83 04 4b 37');
    const { send } = probeFixture();
    for (const command of ['fb', 'f2 61 00 00', 'f2 62 00', 'f2 ff', 'e7']) {
      assert.equal(send(command), '42 00', command);
    }
  });

  it('does the RW_MISC example of §2.5: write DCRDR, then DCRSR', () => {
    const { board, send, attach } = probeFixture();
    attach();
    const out = '05 01 02 01 02 00 00 00 00 00 00 00 f8 ed 00 e0 78 56 34 12 f4 ed 00 e0 05 00 01 00';
    assert.equal(send('f2 51 05 00 00 00', out), NOTHING);
    const status = '80 00 00 00';
    assert.equal(send('f2 52'), [...Array<string>(5).fill('00 00 00 00'), ...Array<string>(5).fill(status)].join(' '));
    assert.equal(board.registers[5], 0x12345678);
  });

  it('reads through RW_MISC and reports each item on its own', () => {
    const { send, attach } = probeFixture();
    attach();
    send('f2 51 02 00 00 00', '03 03 00 00 00 ed 00 e0 00 00 00 60');
    assert.equal(send('f2 52'), '41 c2 0f 41 00 00 00 00 80 00 00 00 11 00 00 00');
  });

  it('moves words without address increment', () => {
    const { board, send, attach } = probeFixture();
    attach();
    send('f2 50 10 00 00 20 08 00', '01 00 00 00 02 00 00 00');
    assert.equal(send('f2 54 10 00 00 20 08 00'), '02 00 00 00 02 00 00 00');
    assert.equal(board.ram[0x14], 0);
  });

  it('reads all registers as 88 bytes', () => {
    const { board, send, attach } = probeFixture();
    attach();
    for (let i = 0; i <= 20; i++) board.registers[i] = 0x100 + i;
    send('f2 02');
    const reply = bytes(send('f2 3a 00'));
    assert.equal(reply.length, 88);
    const words = [...new Uint32Array(reply.buffer)];
    assert.deepEqual(words.slice(0, 21), [0x80, ...Array.from({ length: 19 }, (_, i) => 0x100 + i), 0x114]);
    assert.equal(words[21], 0);
  });
});

describe('virtual ST-LINK: trouble', () => {
  it('refuses debug commands outside debug mode, replies keeping their length', () => {
    const { send } = probeFixture();
    assert.equal(send('f2 36 00 ed 00 e0'), '06 00 00 00 00 00 00 00');
    assert.equal(send('f2 07 00 ed 00 e0 04 00'), '00 00 00 00');
    assert.equal(send('f2 3b'), '06 00');
  });

  it('leaves DFU mode silently and obeys only after that', () => {
    const { send } = probeFixture({ switches: { startMode: 'dfu' } });
    assert.equal(send('f5'), '00 01');
    assert.equal(send('f2 30 a3'), '06 00');
    assert.equal(send('f3 07'), NOTHING);
    assert.equal(send('f5'), '01 00');
  });

  it('finds no target without power or with a closed debug port: 09 from a V2, 05 from a V3', () => {
    const v2 = probeFixture();
    v2.board.powered = false;
    assert.equal(v2.send('f2 30 a3'), '09 00');
    assert.equal(v2.send('f7'), 'dc 05 00 00 00 00 00 00');
    const v3 = probeFixture({ identity: 'v3' });
    v3.board.debugPortEnabled = false;
    assert.equal(v3.send('f2 30 a3'), '05 00');
    assert.equal(v3.send('f5'), '01 00');
  });

  it('loses the target when its power goes and comes: only ENTER brings it back', () => {
    const { board, send, attach } = probeFixture();
    attach();
    board.powerUps++;
    assert.equal(send('f2 36 00 ed 00 e0'), '16 00 00 00 00 00 00 00');
    assert.equal(send('f2 30 a3'), '80 00');
    assert.equal(send('f2 36 00 ed 00 e0'), '80 00 00 00 41 c2 0f 41');
  });

  it('wants an AP opened before memory is touched, and none above 8', () => {
    const { send } = probeFixture();
    send('f2 30 a3');
    assert.equal(send('f2 07 00 ed 00 e0 04 00'), '00 00 00 00');
    assert.equal(send('f2 3b'), '1d 00');
    assert.equal(send('f2 4b 09'), '1d 00');
    assert.equal(send('f2 4b 01'), '1d 00', 'the chip has one AP');
    assert.equal(send('f2 4b 00'), '80 00');
    assert.equal(send('f2 07 00 ed 00 e0 04 00'), '41 c2 0f 41');
    assert.equal(send('f2 4c 00'), '80 00');
    send('f2 07 00 ed 00 e0 04 00');
    assert.equal(send('f2 3b'), '1d 00');
  });

  it('may open AP 0 by ENTER when that switch is on', () => {
    const { send } = probeFixture({ switches: { enterOpensAp: true } });
    send('f2 30 a3');
    assert.equal(send('f2 07 00 ed 00 e0 04 00'), '41 c2 0f 41');
  });

  it('reports a bus fault with its address, whole data phase, and recovers by itself', () => {
    const { board, send, attach } = probeFixture();
    attach();
    board.ram.fill(0x77);
    assert.equal(send('f2 07 f8 7f 00 20 10 00'), `77 77 77 77 77 77 77 77 ${'00 '.repeat(8)}`.trim());
    assert.equal(send('f2 3e'), '11 00 00 00 00 80 00 20 00 00 00 00');
    assert.equal(send('f2 45 ff ff 04 00'), '80 00 00 00 20 00 00 f0', 'STICKYERR is left for the host');
    assert.equal(send('f2 45 00 00 04 00').slice(0, 2), '11');
    assert.equal(send('f2 46 ff ff 00 00 04 00 00 00'), '80 00');
    assert.equal(send('f2 45 00 00 04 00'), '80 00 00 00 00 80 00 20', 'TAR shows the failing address');
    send('f2 07 00 00 00 30 04 00');
    assert.equal(send('f2 07 00 00 00 20 04 00'), '77 77 77 77');
    assert.equal(send('f2 3b'), '80 00');
    assert.equal(send('f2 36 00 00 00 30'), '11 00 00 00 00 00 00 00');
    send('f2 08 fc 7f 00 20 08 00', '01 02 03 04 05 06 07 08');
    assert.equal(send('f2 3e'), '11 00 00 00 00 80 00 20 00 00 00 00');
  });

  it('refuses misaligned and oversized transfers', () => {
    const { send, attach } = probeFixture();
    attach();
    assert.equal(send('f2 07 02 00 00 20 04 00'), '00 00 00 00');
    assert.equal(send('f2 3b'), '0a 00');
    send('f2 47 00 00 00 20 03 00');
    assert.equal(send('f2 3b'), '0a 00');
    assert.equal(bytes(send('f2 0c 00 00 00 20 41 00')).length, 65);
    assert.equal(send('f2 3b'), '08 00');
    assert.equal(bytes(send('f2 07 00 00 00 20 04 18')).length, 6144);
    assert.equal(send('f2 3b'), '08 00');
    assert.equal(send('f2 35 01 00 00 20'), '0a 00');
    assert.equal(send('f2 43 ff ff'), '08 00');
  });

  it('repeats WAIT by itself for a short stall and reports 10 for a long one', () => {
    const { board, send, attach } = probeFixture();
    attach();
    board.busyUntilNs = board.time.now + 0.65e6;
    assert.equal(send('f2 36 00 70 00 20').slice(0, 2), '80');
    board.busyUntilNs = board.time.now + 5e6;
    assert.equal(send('f2 36 00 70 00 20').slice(0, 2), '10');
    send('f2 07 00 70 00 20 04 00');
    assert.equal(send('f2 3e'), '10 00 00 00 00 70 00 20 00 00 00 00');
    board.runTo(board.busyUntilNs);
    assert.equal(send('f2 36 00 70 00 20').slice(0, 2), '80');
  });

  it('obeys ordered troubles: WAIT, noise, a short reply, silence', () => {
    const { probe, send, attach } = probeFixture();
    attach();
    probe.faults.waits = 2;
    assert.equal(send('f2 36 00 ed 00 e0').slice(0, 2), '10');
    send('f2 07 00 ed 00 e0 04 00');
    assert.equal(send('f2 3b'), '10 00');
    assert.equal(send('f2 36 00 ed 00 e0').slice(0, 2), '80');
    probe.faults.garbage = 1;
    assert.notEqual(send('f5'), '02 00');
    probe.faults.short = 1;
    assert.equal(send('f5'), '02');
    probe.faults.mute = 1;
    assert.equal(send('f5'), NOTHING);
    assert.equal(send('f5'), '02 00');
  });
});

describe('virtual ST-LINK: what things cost', () => {
  it('charges command latency, USB bytes and wire clocks', () => {
    const { board, probe, send, attach } = probeFixture();
    const spent = (work: () => void) => {
      const start = board.time.now;
      work();
      return board.time.now - start;
    };
    assert.equal(Math.round(spent(() => send('f2 3c 01'))), Math.round(1e6 + (2 / 1216) * 1e6));
    attach();
    const words = 1536;
    // CSW and SELECT are set already or once, TAR once per KiB, one extra read to fetch the last word of each KiB.
    const transfers = words + 6 + 6 + 2;
    const expected = 1e6 + (6144 / 1216) * 1e6 + transfers * 46 * (1e6 / 1800);
    const got = spent(() => send('f2 07 00 00 00 20 00 18'));
    assert.ok(Math.abs(got / expected - 1) < 0.01, `${got} ns against ${expected} ns`);
    send('f2 43 00 00');
    assert.equal(probe.swdKHz, 4000);
    send('f2 21');
    assert.equal(probe.swdKHz, 4000, 'the clock outlives the session');
  });

  it('shows USB and SWD traffic to taps', () => {
    const usb: string[] = [];
    const swd: string[] = [];
    const { send, attach } = probeFixture({
      onExchange: ({ command, reply, startNs, endNs }) => usb.push(`${command[1]} ${reply.length} ${endNs > startNs}`),
      onSwd: ({ port, write, address, value, ack }) =>
        swd.push(`${port}${write ? 'w' : 'r'}${address} ${value.toString(16)} ${ack}`),
    });
    attach();
    swd.length = 0;
    send('f2 35 10 00 00 20 78 56 34 12');
    assert.deepEqual(usb, [`${0x30} 2 true`, `${0x4b} 2 true`, `${0x35} 2 true`]);
    assert.deepEqual(swd, ['dpw8 0 ok', 'apw0 2 ok', 'apw4 20000010 ok', 'apw12 12345678 ok', 'dpr12 24770011 ok']);
  });
});
