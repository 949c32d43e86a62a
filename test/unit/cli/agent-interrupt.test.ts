// What ends the customer's job from outside: Ctrl-C, a terminal that closes (docs/product.md §2).
import assert from 'node:assert/strict';
import { onInterrupt } from '../../../cli/customer/agent.ts';

/** Whether the job is told to stop by this signal, and what the customer reads of it. */
function stopped(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): {
  readonly aborted: boolean;
  readonly said: readonly string[];
} {
  const said: string[] = [];
  const stop = new AbortController();
  const forget = onInterrupt({ say: (text) => void said.push(text) }, stop);
  try {
    process.emit(signal, signal);
    return { aborted: stop.signal.aborted, said };
  } finally {
    forget();
  }
}

describe('the agent, interrupted from outside', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`stops in order at ${signal}, and says so`, () => {
      const { aborted, said } = stopped(signal);
      assert.equal(aborted, true);
      assert.match(said.join(), /^Stopping: putting the board back in order/);
    });
  }

  it('stops in order when its terminal closes, where nobody reads any more', () => {
    assert.deepEqual(stopped('SIGHUP'), { aborted: true, said: [] });
  });

  it('leaves no listener behind', () => {
    const before = process.listenerCount('SIGHUP');
    stopped('SIGHUP');
    assert.equal(process.listenerCount('SIGHUP'), before);
  });
});
