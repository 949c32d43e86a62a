// How long the agent waits for a stub that does not obey at once: job, handshake and stop, against words in memory.
import assert from 'node:assert/strict';
import type { Probe } from '../../../agent/probe/probe.ts';
import { Handover } from '../../../agent/transport/mailbox/handover.ts';
import { Mailbox } from '../../../agent/transport/mailbox/mailbox.ts';
import { LAYOUTS } from '../../../shared/mailbox/layout.ts';
import { silentLog } from '../../../shared/ports.ts';
import { EventQueue } from '../../../sim/event-queue.ts';
import { FakeTarget } from './probe/fake-target.ts';

// Spelled out again from docs/mailbox.md.
const STATUS = 0x2002d004;
const ACTIVITY = 0x2002d01c;
const COMMAND = 0x2002d080;
const ACTIVE = 3;
const EXPIRED = 8;
const ERASING_SECTOR_5 = 0x0501;
const ERASING_EVERYTHING = 0xff01;

/** A stub that is active and ends its session `answersAfter` milliseconds after it was told to. */
class SlowStub extends FakeTarget {
  readonly queue = new EventQueue();
  readonly handover = new Handover(
    new Mailbox(LAYOUTS.stm32f42x, this as Probe, this.queue, silentLog),
    this.queue,
    new Uint8Array(64),
  );
  readonly #activity: number;
  readonly #answersAfter: number;
  #toldAt: number | undefined;

  constructor(activity: number, answersAfter: number) {
    super();
    this.#activity = activity;
    this.#answersAfter = answersAfter;
  }

  override async readWord(address: number): Promise<number> {
    await new Promise<void>((resolve) => this.queue.after(1, resolve));
    const over = this.#toldAt !== undefined && this.queue.now() - this.#toldAt >= this.#answersAfter;
    if (address === STATUS) return (over ? EXPIRED : ACTIVE) * 0x1000000;
    return address === ACTIVITY && !over ? this.#activity : 0;
  }
  override async writeWord(address: number): Promise<void> {
    if (address === COMMAND) this.#toldAt = this.queue.now();
  }
}

describe('stopping a stub that is busy', () => {
  it('waits for the erase of everything to end', async () => {
    const stub = new SlowStub(ERASING_EVERYTHING, 65_000);
    await stub.queue.drive(stub.handover.stop());
    assert.equal(stub.queue.now() >= 65_000, true);
  });

  it('gives up after ten seconds, and after seventy while everything is erased', async () => {
    for (const [activity, limit] of [
      [ERASING_SECTOR_5, 10_000],
      [ERASING_EVERYTHING, 70_000],
    ] as const) {
      const stub = new SlowStub(activity, Number.POSITIVE_INFINITY);
      await assert.rejects(stub.queue.drive(stub.handover.stop()), { code: 'BF-STUB-SILENT' });
      assert.equal(stub.queue.now() >= limit && stub.queue.now() < limit + 100, true);
    }
  });
});
