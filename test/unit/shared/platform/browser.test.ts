// The browser's side of the ports, with Node's own Web Crypto and a WebSocket that behaves as the standard says.
import assert from 'node:assert/strict';
import { browserRandom } from '../../../../shared/platform/browser/random.ts';
import { dialRelay, linkOverWebSocket } from '../../../../shared/platform/browser/web-socket-link.ts';
import type { WebSocketLike } from '../../../../shared/platform/browser/web-socket-link.ts';
import { systemClock } from '../../../../shared/platform/system-clock.ts';
import { isBlindflashError, type ErrorCode } from '../../../../shared/errors/errors.ts';
import { CLOSE } from '../../../../shared/link/close.ts';
import { LINK, RECONNECT } from '../../../../shared/link/limits.ts';
import type { Clock } from '../../../../shared/ports.ts';

/** A page's WebSocket: refuses the close codes a page may not say, and tells of its end once. */
class FakeWebSocket implements WebSocketLike {
  binaryType = 'blob';
  bufferedAmount = 0;
  readyState = 0;
  protocol = '';
  onopen: WebSocketLike['onopen'] = null;
  onmessage: WebSocketLike['onmessage'] = null;
  onclose: WebSocketLike['onclose'] = null;
  readonly sent: Uint8Array[] = [];
  closedWith: { readonly code: number | undefined; readonly reason: string | undefined } | undefined;

  open(protocol: string = LINK.subprotocol): this {
    this.readyState = 1;
    this.protocol = protocol;
    this.onopen?.();
    return this;
  }
  send(data: Uint8Array): void {
    this.sent.push(data);
  }
  close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999)) throw new Error('InvalidAccessError');
    this.readyState = 2;
    this.closedWith = { code, reason };
  }
  end(code: number, reason = ''): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
  get(...bytes: number[]): void {
    this.onmessage?.({ data: Uint8Array.from(bytes).buffer });
  }
}

/** A clock whose one timer is let go by hand. */
function handClock(): Clock & { fire(): void; readonly waits: number | undefined } {
  let timer: { readonly delayMs: number; readonly run: () => void } | undefined;
  return {
    now: () => 0,
    wall: () => 0,
    after: (delayMs, run) => {
      timer = { delayMs, run };
      return () => (timer = undefined);
    },
    fire: () => timer?.run(),
    get waits() {
      return timer?.delayMs;
    },
  };
}

const coded = (code: ErrorCode) => (error: unknown) => isBlindflashError(error, code);

describe('browser: random', () => {
  it('gives as many bytes as asked for, also beyond what one call of the generator gives', () => {
    for (const count of [0, 1, 32, 65_536, 150_001]) assert.equal(browserRandom.bytes(count).length, count);
    const tail = browserRandom.bytes(150_001).subarray(131_072);
    assert.ok(new Set(tail).size > 200, 'the last piece is filled, too');
  });
});

describe('browser: clock', () => {
  it('goes forward, calls once and can be told not to', async () => {
    const before = systemClock.now();
    const called: string[] = [];
    systemClock.after(0, () => called.push('kept'));
    systemClock.after(0, () => called.push('cancelled'))();
    await new Promise<void>((resolve) => void systemClock.after(5, resolve));
    assert.deepEqual(called, ['kept']);
    assert.ok(systemClock.now() > before);
    assert.ok(systemClock.wall() > 1_600_000_000_000);
  });
});

describe('browser: a link over its WebSocket', () => {
  const opened = () => {
    const socket = new FakeWebSocket().open();
    return { socket, link: linkOverWebSocket(socket) };
  };

  it('sends bytes, says what waits, and refuses to send once it is closed', () => {
    const { socket, link } = opened();
    link.send(Uint8Array.of(1, 2));
    socket.bufferedAmount = 2;
    assert.deepEqual([socket.sent, link.buffered], [[Uint8Array.of(1, 2)], 2]);
    socket.end(1000);
    assert.throws(() => link.send(Uint8Array.of(3)), coded('BF-LINK-CLOSED'));
  });

  it('keeps messages in order until somebody listens, and while it is paused', () => {
    const { socket, link } = opened();
    const got: number[] = [];
    socket.get(1);
    link.onMessage = ([byte]) => {
      got.push(byte!);
      if (byte === 2) link.pause();
    };
    socket.get(2);
    socket.get(3);
    assert.deepEqual(got, [1, 2]);
    link.resume();
    assert.deepEqual(got, [1, 2, 3]);
    assert.equal(socket.binaryType, 'arraybuffer');
  });

  it('closes over text and over messages beyond the limit, with a code a page may say', () => {
    for (const data of ['text', new ArrayBuffer(LINK.messageBytes + 1)]) {
      const { socket, link } = opened();
      let end: unknown;
      link.onClose = (code, reason) => (end = [code, reason]);
      socket.onmessage?.({ data });
      assert.equal(socket.closedWith?.code, CLOSE.garbage.code);
      socket.end(1006);
      const row = typeof data === 'string' ? CLOSE.text : CLOSE.tooLarge;
      assert.deepEqual(end, [row.code, row.say]);
    }
  });

  it('tells the other end’s reason for the end, its own when there is none, and delivers nothing after its own close', () => {
    const { socket, link } = opened();
    const ends: unknown[] = [];
    link.onClose = (...end) => ends.push(end);
    link.onMessage = () => assert.fail('delivered');
    link.close(CLOSE.done.code, 'bye');
    socket.get(1);
    socket.end(4002, 'the relay is being stopped');
    assert.deepEqual(ends, [[4002, 'the relay is being stopped']]);
    link.close(CLOSE.done.code, 'again');
    assert.deepEqual(socket.closedWith, { code: 1000, reason: 'bye' });
  });
});

describe('browser: dialling a relay', () => {
  const dialled = () => {
    const socket = new FakeWebSocket();
    const clock = handClock();
    const asked: string[] = [];
    const link = dialRelay('wss://relay.example:8443/elsewhere', clock, (url, protocol) => {
      asked.push(url, protocol);
      return socket;
    });
    return { socket, clock, asked, link };
  };

  it('asks for our path and subprotocol and resolves when the socket is open', async () => {
    const { socket, clock, asked, link } = dialled();
    assert.deepEqual(asked, [`wss://relay.example:8443${LINK.path}`, LINK.subprotocol]);
    socket.open();
    (await link).send(Uint8Array.of(7));
    assert.deepEqual(socket.sent, [Uint8Array.of(7)]);
    assert.equal(clock.waits, undefined);
  });

  it('rejects when the relay is not reached, speaks something else, or does not answer', async () => {
    const away = dialled();
    away.socket.end(1006);
    await assert.rejects(away.link, coded('BF-RELAY-UNREACHABLE'));
    const other = dialled();
    other.socket.open('chat');
    await assert.rejects(other.link, coded('BF-RELAY-PROTOCOL'));
    const silent = dialled();
    assert.equal(silent.clock.waits, RECONNECT.welcomeMs);
    silent.clock.fire();
    await assert.rejects(silent.link, coded('BF-LINK-TIMEOUT'));
    const clock = handClock();
    await assert.rejects(
      dialRelay('https://relay.example', clock, () => new FakeWebSocket()),
      coded('BF-RELAY-ADDRESS'),
    );
  });
});
