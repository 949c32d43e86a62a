// The table of close reasons: codes WebSocket allows, each once, and sound advice to whoever hears them.
import assert from 'node:assert/strict';
import { ERRORS } from '../../../../shared/errors/catalogue.ts';
import { CLOSE, closeError, closeName, mayReturn, type CloseRow } from '../../../../shared/link/close.ts';

const rows = Object.entries(CLOSE) as [keyof typeof CLOSE, CloseRow][];

describe('close reasons', () => {
  it('use each code once, from the ranges RFC 6455 gives: standard codes, or 4000-4999 for our own', () => {
    const codes = rows.map(([, { code }]) => code);
    assert.equal(new Set(codes).size, codes.length);
    for (const [name, { code, by }] of rows) {
      const standard = [1000, 1001, 1002, 1003, 1006, 1009, 1011, 1012, 1013].includes(code);
      assert.ok(standard || (code >= 4000 && code <= 4999), name);
      if (!standard) assert.notEqual(by, 'transport', name);
    }
  });
  it('fit the 123 bytes a close frame has for its reason', () => {
    for (const [name, { say }] of rows) assert.ok(Buffer.byteLength(say) <= 123, name);
  });
  it('name an error that exists', () => {
    for (const [name, { error }] of rows) assert.ok(error in ERRORS, name);
  });
  it('never send a superseded or refused side back', () => {
    for (const name of ['superseded', 'refused', 'expired', 'unknownTenant', 'wrongRelay', 'cap', 'done'] as const) {
      assert.equal(mayReturn(CLOSE[name].code), false, name);
    }
    for (const name of ['shutdown', 'lost', 'silent', 'busy', 'lagging'] as const) {
      assert.equal(mayReturn(CLOSE[name].code), true, name);
    }
  });
  it('treat an unknown verdict as final and an unknown accident as passing', () => {
    assert.equal(closeName(4321), 'garbage');
    assert.equal(closeName(1014), 'lost');
    assert.equal(closeError(4321).code, 'BF-RELAY-PROTOCOL');
  });
});
