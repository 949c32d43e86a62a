// A virgin chip is planted, locked, enrolled and gets an image, the whole product in virtual time, and all its flash
// operations are seen: no key is in flash before the lock holds, and option bytes are written once in its life.
import assert from 'node:assert/strict';
import { assembleLoader, LOADER_MAP } from '../../controller/loader/config.ts';
import type { ResetKind } from '../../sim/core-port.ts';
import type { Board } from '../../sim/board.ts';
import { DeviceFixture, UID } from '../fixtures/devices.ts';
import { imageOf } from '../fixtures/images.ts';
import type { RunOutcome } from '../fixtures/product.ts';
import { CONFIG, FLASH, IMAGE, loaderImage, spinning } from '../integration/loader/loader-fixture.ts';

const BLANK = new Uint8Array(2048 * 1024).fill(0xff);
const SLOTS_END = 0x08008000;
const STARTED_NS = 80e6;
const LOADER = 'stm32f42x';

interface Operation {
  readonly what: 'option' | 'slot' | 'other';
  /** Read protection in force. */
  readonly level: number;
  readonly lastReset: ResetKind;
  readonly intruded: boolean;
}

/** Every operation on flash from now on, with what the chip was like when it began. */
function follow({ soc, flash }: Board): Operation[] {
  const operations: Operation[] = [];
  let lastReset: ResetKind = 'power';
  const reset = soc.reset.bind(soc);
  soc.reset = (kind) => {
    lastReset = kind;
    reset(kind);
  };
  flash.onOperation = ({ kind, phase, address = 0 }) => {
    if (phase !== 'start') return;
    const slot = kind === 'program' && address >= LOADER_MAP.slots && address < SLOTS_END;
    const what = kind === 'option' ? 'option' : slot ? 'slot' : 'other';
    operations.push({ what, level: soc.protection.level, lastReset, intruded: soc.protection.intruded });
  };
  return operations;
}
function requireDone({ error, agent }: RunOutcome): void {
  assert.deepEqual([error, agent.error, agent.result], [undefined, undefined, 'done']);
}

describe('desk: from a virgin chip to its image', function () {
  this.timeout(300_000);

  it('the slot is programmed only after a power reset at level 1, and option bytes are written once', async () => {
    const product = new DeviceFixture({ seed: 71, board: { rdp: 0, flash: BLANK, uid: UID } });
    const { board } = product;
    const operations = follow(board);
    const keys = [{ publicKey: product.keys.sealed.publicKey, roles: ['sessions', 'files'] }] as const;
    const loader = assembleLoader(loaderImage(), { ...CONFIG, listenMs: 200, keys }, LOADER);
    requireDone(await product.flash(imageOf([FLASH, loader]), { lock: 'level 1' }));
    const planted = operations.length;
    assert.ok(planted > 1000 && operations.every(({ what }) => what !== 'slot'));
    board.powerOff();
    board.powerOn();
    board.runTo(board.time.now + STARTED_NS);
    requireDone(await product.enrol('bench'));
    requireDone(await product.install(imageOf([IMAGE, spinning(9000)]), 5));

    const slot = operations.filter(({ what }) => what === 'slot');
    assert.ok(slot.length > 0);
    for (const { level, lastReset, intruded } of slot) {
      assert.deepEqual({ level, lastReset, intruded }, { level: 1, lastReset: 'power', intruded: false });
    }
    assert.equal(operations.filter(({ what }) => what === 'option').length, 1);
  });

  it('a reset in place of the power cycle makes no keys', async () => {
    const product = new DeviceFixture({ seed: 72, board: { rdp: 0, flash: BLANK, uid: UID } });
    const { board } = product;
    const operations = follow(board);
    const loader = assembleLoader(loaderImage(), { ...CONFIG, listenMs: 200 }, LOADER);
    requireDone(await product.flash(imageOf([FLASH, loader]), { lock: 'level 1' }));
    board.pressButton();
    board.runTo(board.time.now + 1e6);
    board.releaseButton();
    board.runTo(board.time.now + STARTED_NS);
    assert.ok(operations.every(({ what }) => what !== 'slot'));
  });
});
