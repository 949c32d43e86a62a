// The relay command: whom it admits, what it refuses to start with, and where it listens.
import assert from 'node:assert/strict';
import { isBlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import { silentLog } from '../../../shared/ports.ts';
import { isLoopback, parseListen, startRelay } from '../../../cli/relay/relay.ts';

const coded = (code: ErrorCode) => (error: unknown) => isBlindflashError(error, code);

describe('the relay command', () => {
  const base = { listen: '127.0.0.1:0', open: false, 'trust-proxy': false };
  it('admits everybody only on loopback', async () => {
    for (const listen of ['0.0.0.0:0', '[::]:0', '192.0.2.1:0', 'relay.test:0']) {
      await assert.rejects(startRelay({ ...base, listen, open: true }, silentLog), coded('BF-RELAY-OPEN'), listen);
    }
    const started = await startRelay({ ...base, open: true }, silentLog);
    assert.match(started.url, /^ws:\/\/127\.0\.0\.1:\d+$/);
    await started.stop();
  });
  it('refuses to start half-configured', async () => {
    await assert.rejects(startRelay(base, silentLog), coded('BF-RELAY-CONFIG'));
    await assert.rejects(startRelay({ ...base, open: true, tenants: 'x' }, silentLog), coded('BF-USAGE'));
    await assert.rejects(startRelay({ ...base, tenants: '/nonexistent' }, silentLog), coded('BF-RELAY-CONFIG'));
    await assert.rejects(startRelay({ ...base, listen: 'nowhere' }, silentLog), coded('BF-USAGE'));
    await assert.rejects(startRelay({ ...base, listen: '127.0.0.1:70000' }, silentLog), coded('BF-USAGE'));
  });
  it('says so when the port is taken', async () => {
    const started = await startRelay({ ...base, open: true }, silentLog);
    const listen = started.url.replace('ws://', '');
    await assert.rejects(startRelay({ ...base, listen, open: true }, silentLog), coded('BF-RELAY-LISTEN'));
    await started.stop();
  });
  it('knows loopback when it sees it', () => {
    for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.ok(isLoopback(host), host);
    for (const host of ['127.0.0.1.evil.test', '127.evil.test', '0.0.0.0', '::', '10.0.0.1']) {
      assert.ok(!isLoopback(host), host);
    }
    assert.deepEqual(parseListen('[::1]:9'), { host: '::1', port: 9 });
  });
});
