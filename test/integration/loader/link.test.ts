// The loader's end of the serial line (docs/serial-link.md, "The loader's end of the line", "What answers what"): bit
// rates, what is dropped, repetition, order, noise.
import assert from 'node:assert/strict';
import { concat, u32le } from '../../../shared/codec/bytes.ts';
import { STATES } from '../../../shared/mailbox/layout.ts';
import { encodePacket } from '../../../shared/serial/framing.ts';
import { encodeCommand } from '../../../shared/sealed/messages.ts';
import { IMAGE, LOCKED, planted, runMs, runToPc, spinning, SPINS_AT, record, complete } from './loader-fixture.ts';
import { installed, installPlan, LoaderController, statusOf } from './loader-controller.ts';
import { KNOCK, LoaderLink } from './loader-link.ts';
import { image, linked, session } from './prepared-boards.ts';

const END = Uint8Array.of(0);
const START_MS = 60;
/** From reset to the installer or the image. */
const BOOT_MS = 8;
const PATTERN = new Uint8Array(8).fill(0x55);
const status = (link: LoaderLink): ReturnType<typeof statusOf> => {
  while (link.take('status') !== undefined);
  link.again(0x84);
  return statusOf(link.await('status'));
};

/** BAUD, the change at this end, the pattern to be measured, IDENT? until it is answered. */
function change(link: LoaderLink, rate: number): boolean {
  link.forget();
  link.send('baud', u32le(rate));
  link.run(20);
  link.peer.bitRate = rate;
  for (let i = 0; i < 4; i++) {
    link.raw(concat(PATTERN, END, encodePacket('askIdent')));
    link.run(20);
    if (link.take('ident') !== undefined) return true;
    link.run(40);
  }
  return false;
}

describe('loader: bit rates', () => {
  for (const deviation of [-0.08, -0.03, 0.05]) {
    it(`a clock that is off by ${deviation * 100} % finds the agent at 115200, and goes up to 921600`, () => {
      const board = planted({}, { ...LOCKED, hsiDeviation: deviation });
      const link = new LoaderLink(board);
      runMs(board, START_MS);
      link.knock(3);
      assert.ok(change(link, 921600));
      for (let i = 0; i < 10; i++) {
        link.send('askIdent');
        link.await('ident', 50);
      }
      assert.deepEqual([link.damaged, status(link).dropped], [0, 0]);
    });
  }

  it('sends nothing before the knock, whatever is on the line', () => {
    const board = planted({});
    const link = new LoaderLink(board);
    runMs(board, START_MS);
    link.send('askIdent');
    link.raw(PATTERN);
    link.raw(new TextEncoder().encode('hello\r\n'));
    link.run(200);
    assert.deepEqual(link.heard, []);
    link.knock(2);
  });

  it('a rate above its highest, or none, changes nothing', () => {
    const link = linked();
    for (const rate of [0, 1, 2_000_000]) {
      link.send('baud', u32le(rate));
      link.run(30);
      link.send('askIdent');
      link.await('ident', 50);
    }
  });

  it('without a good packet in 300 ms it is back at the rate before', () => {
    const link = linked();
    link.send('baud', u32le(460800));
    link.run(350);
    link.knock(2);
    assert.equal(status(link).dropped, 0);
  });

  it('after three packets dropped it searches again, in a session too, and a knock finds it', () => {
    const link = linked();
    const controller = session(link);
    const bad = encodePacket('askIdent');
    bad[2]! ^= 1;
    link.raw(concat(bad, bad, bad));
    link.run(10);
    link.send('askIdent');
    link.run(50);
    assert.equal(link.take('ident'), undefined);
    link.knock(2);
    assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
  });
});

describe('loader: packets', () => {
  it('counts what it drops: damaged, of an unknown type, of a wrong size, too long; a good one in between keeps the line', () => {
    const link = linked();
    const wrong = [
      encodePacket('askIdent').map((byte, index) => (index === 3 ? byte ^ 0x40 : byte)),
      Uint8Array.from([7, 0x55, 1, 2, 3, 4, 5, 0]),
      encodePacket('status', new Uint8Array(36)),
      concat(new Uint8Array(5000).fill(0x11), END),
    ];
    let dropped = 0;
    for (const bytes of wrong) {
      link.raw(bytes);
      assert.equal(status(link).dropped, ++dropped);
    }
    link.raw(concat(KNOCK, END));
    link.await('ident', 50);
    assert.equal(status(link).dropped, dropped);
  });

  it('takes commands once and in order: a later one is not taken but told of, a repeated one is nothing', () => {
    const link = linked();
    const controller = session(link);
    const boxes = [1, 2, 3].map(() => controller.session.seal(encodeCommand({ name: 'PING' })));
    const send = (index: number): void => {
      const { sequence, box } = boxes[index]!;
      link.send('command', concat(u32le(sequence), box));
      link.run(10);
    };
    send(1);
    assert.deepEqual([status(link).accepted, status(link).state & 0x80], [0, 0x80]);
    send(0);
    assert.deepEqual([status(link).accepted, status(link).state & 0x80], [1, 0]);
    send(0);
    send(2);
    send(1);
    send(2);
    send(2);
    assert.deepEqual([status(link).accepted, status(link).replied], [3, 3]);
    assert.equal(status(link).state, STATES.active);
  });

  it('gives M1, M3 and replies again, the same bytes, until they are fetched', () => {
    const link = linked();
    const controller = new LoaderController(link, installPlan(image));
    const m1 = controller.offer();
    link.again(0x82);
    assert.deepEqual(link.await('m1'), m1);
    link.send('m2', controller.answer(m1));
    const m3 = link.await('m3');
    link.again(0x83);
    assert.deepEqual(link.await('m3'), m3);
    controller.confirm(m3);
    controller.send({ name: 'PING' });
    const reply = link.await('reply');
    link.again(0x85, 1);
    assert.deepEqual(link.await('reply'), reply);
    link.send('fetched', u32le(1));
    link.forget();
    link.again(0x85, 1);
    link.await('status');
    assert.deepEqual(link.waiting, []);
  });

  it('holds as many commands as it says, while it erases, and answers meanwhile', () => {
    const link = linked();
    const controller = session(link, installPlan(image));
    const { credit } = controller.status();
    controller.send({ name: 'ERASE', sector: 4 });
    for (let i = 1; i < credit + 3; i++) controller.send({ name: 'PING' });
    const during = controller.status();
    assert.deepEqual([during.accepted, during.received, during.activity], [1, credit + 1, 1]);
    link.send('askIdent');
    link.await('ident', 20);
    controller.reply();
    for (let i = 0; i < credit; i++) controller.reply();
    assert.equal(controller.status().accepted, credit + 1);
  });

  it('a new JOB ends the session there is and begins another', () => {
    const link = linked();
    const first = session(link);
    const second = session(link);
    assert.equal(second.ask({ name: 'PING' }).name, 'PONG');
    assert.notDeepEqual(first.facts.handshake, second.facts.handshake);
    assert.equal(status(link).handshakes, 2);
  });

  it('ABORT wipes and ends; the next JOB is taken', () => {
    const link = linked();
    session(link);
    link.send('abort');
    link.run(20);
    assert.equal(status(link).state, STATES.expired);
    session(link);
  });
});

describe('loader: while flash is busy', () => {
  it('at 921600 with jitter, a clock off by -8 %, an erase of 128 KB and programming at x8: nothing is lost', () => {
    const board = planted({}, { ...LOCKED, hsiDeviation: -0.08, supplyVolts: 2 });
    const link = new LoaderLink(board);
    runMs(board, 2 * START_MS);
    link.knock(3);
    assert.ok(change(link, 921600));
    link.peer.noise = { jitter: 0.5 };
    const long = spinning(0x10000 + 9000);
    const ranges = [
      { address: IMAGE, length: 0x10000, use: 'program' },
      { address: IMAGE + 0x10000, length: 9000, use: 'program' },
    ] as const;
    const controller = session(link, installPlan(long, { ranges }));
    assert.equal(controller.facts.widest, 'x8');
    controller.ask({ name: 'ERASE', sector: 4 });
    controller.send({ name: 'ERASE', sector: 5 });
    for (let at = 64; at < 64 + 12 * 4032; at += 4032) {
      controller.send({ name: 'IMAGE', address: IMAGE + at, data: long.slice(at, at + 4032) });
    }
    const during = controller.status();
    assert.deepEqual([during.accepted, during.received, during.activity], [2, 14, 1]);
    controller.reply();
    controller.settle();
    assert.deepEqual([controller.status().dropped, link.damaged], [0, 0]);
    assert.deepEqual(installed(link, 64 + 12 * 4032).slice(64), long.slice(64, 64 + 12 * 4032));
  }).timeout(120_000);
});

describe('loader: while a command is programmed', () => {
  it('somebody who asks is answered at once, at x8 with the longest times of flash, too', () => {
    const board = planted({}, { ...LOCKED, supplyVolts: 2, flashTiming: 'max' });
    const link = new LoaderLink(board);
    runMs(board, 2 * START_MS);
    link.knock(3);
    const controller = session(link, installPlan(image));
    controller.ask({ name: 'ERASE', sector: 4 });
    controller.send({ name: 'IMAGE', address: IMAGE + 64, data: image.slice(64, 64 + 4032) });
    for (let i = 0; i < 4; i++) {
      link.send('askIdent');
      link.await('ident', 60);
    }
    assert.equal(controller.status().accepted, 1);
  });
});

describe('loader: a line that was lost', () => {
  it('in a session: nothing is sent until a knock, and then the session goes on', () => {
    const link = linked();
    const controller = session(link, installPlan(image));
    controller.send({ name: 'ERASE', sector: 4 });
    for (let i = 0; i < 3; i++) link.raw(Uint8Array.of(3, 1, 1, 0));
    link.run(40);
    const before = link.heard.length;
    link.run(1500);
    assert.equal(link.heard.length, before);
    link.forget();
    link.knock(3);
    link.again(0x85, 1);
    assert.equal(controller.reply(100).name, 'ERASED');
    controller.ask({ name: 'END' });
  });
});

describe('loader: noise', () => {
  it('on the line for as long as nobody knocks: nothing is sent, and a board with an image starts it in time', () => {
    const spin = spinning();
    const banks = [[record('BANK', 1), complete(2, spin)], []] as const;
    const strap = { port: 1, pin: 3, level: 1 } as const;
    const board = planted({ image: spin, banks, config: { strap } });
    board.soc.gpio['B']!.inputs = 1 << 3;
    const link = new LoaderLink(board);
    link.peer.noise = { pulsesPerSecond: 2000 };
    const took = runToPc(board, SPINS_AT, 300);
    assert.ok(took < 200 + 2 * BOOT_MS, `${took} ms`);
    assert.deepEqual(link.heard, []);
  });
});
