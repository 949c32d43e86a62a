// The stub for the other parts of the family: where it lies, and its refusal of a part without a random generator
// before anything could be made that looks like a key (docs/mailbox.md "Memory", "States"; docs/reference/stm32f4.md
// §1.4).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CHIP_ERRORS } from '../../../shared/errors/chip-errors.ts';
import { HOST_COMMANDS, CONTROL, LAYOUTS, type Layout } from '../../../shared/mailbox/layout.ts';
import { CHIPS, findChip } from '../../../shared/chips/index.ts';
import { CHIPS as BOARDS, type ChipName } from '../../../sim/chips/stm32f4.ts';
import { FirmwareFixture, stubImage, type StubName } from './firmware-fixture.ts';

const WITHOUT_RANDOM = ['stm32f401', 'stm32f401xc', 'stm32f411', 'stm32f446'] as const satisfies readonly ChipName[];
const REFUSED = CHIP_ERRORS.noRandom.number;
const word = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

/** A fixture with the stub of the other parts, on a board that complains about whatever the part does not have. */
function refusing(chip: ChipName): FirmwareFixture {
  const fixture = new FirmwareFixture({ chip, strict: true }, 'stm32f4');
  fixture.boot();
  return fixture;
}

describe('stub layouts', () => {
  for (const name of Object.keys(LAYOUTS) as StubName[]) {
    const layout: Layout = LAYOUTS[name];
    const { memory, commandRing, replyRing } = layout;

    it(`${name}: the areas do not overlap, lie in RAM of every chip it is for, and the rings fill theirs`, () => {
      const areas = Object.values(memory).sort((a, b) => a.address - b.address);
      for (const [index, { address, size }] of areas.entries()) {
        const next = areas[index + 1]?.address ?? Number.POSITIVE_INFINITY;
        assert.ok(address + size <= next, `0x${address.toString(16)}`);
      }
      const chips = CHIPS.filter(({ stub }) => stub === name);
      assert.ok(chips.length > 0);
      for (const { ram, name: chip } of chips) {
        for (const { address, size } of areas) {
          const home = ram.find(({ base, bytes }) => address >= base && address + size <= base + bytes);
          assert.ok(home !== undefined, `${chip}: 0x${address.toString(16)}`);
        }
      }
      assert.equal(commandRing.address, memory.commands.address);
      assert.equal(commandRing.slots * commandRing.slotSize, memory.commands.size);
      assert.equal(replyRing.address, memory.replies.address);
      assert.equal(replyRing.slots * replyRing.slotSize, memory.replies.size);
    });

    it(`${name}: the prebuilt image names this control page, and its stack is the top of the private memory`, () => {
      const image = stubImage(name);
      assert.ok(image.length <= 14 * 1024 && image.length <= memory.stub.size);
      assert.equal(word(image, 0x1c8), image.length);
      assert.equal(word(image, 0x1cc), memory.control.address);
      assert.equal(word(image, 0), memory.private.address + memory.private.size);
      const says = JSON.parse(
        readFileSync(new URL(`../../../firmware/prebuilt/stub-${name}.json`, import.meta.url), 'utf8'),
      ) as Record<string, unknown>;
      assert.deepEqual([says['size'], says['version']], [image.length, 0x0200]);
    });
  }
});

describe('chip rows', () => {
  it('agree with the virtual parts on who has a random generator and on the flash size; those of a stub have a row in it', () => {
    for (const [name, { devId, rng, flashKb }] of Object.entries(BOARDS)) {
      const row = findChip(devId);
      assert.equal(row?.random, rng, name);
      assert.ok(
        row.flashKiB.some((size) => size === flashKb),
        name,
      );
    }
  });

  for (const chip of ['stm32f405', 'stm32f407', 'stm32f469'] as const) {
    it(`${chip}: the stub of the other parts comes up on it without a complaint`, () => {
      const fixture = new FirmwareFixture({ chip, strict: true }, 'stm32f4');
      fixture.boot();
      assert.deepEqual([fixture.state, fixture.error, fixture.board.warnings], ['waiting', 0, []]);
      assert.equal(fixture.board.time.hz, 160e6);
    });
  }
});

describe('stub on a part without a random generator', () => {
  for (const chip of WITHOUT_RANDOM) {
    it(`${chip}: is up, refuses with its own error and the DEV_ID, and has touched neither clock nor flash`, () => {
      assert.equal(findChip(BOARDS[chip].devId)?.stub, 'stm32f4');
      const fixture = refusing(chip);
      assert.deepEqual([fixture.state, fixture.error, fixture.detail], ['refused', REFUSED, BOARDS[chip].devId]);
      assert.equal(fixture.board.time.hz, 16e6);
      assert.deepEqual(fixture.board.warnings, []);
      assert.ok(fixture.board.flash.bytes.every((byte) => byte === 0xff));
    });
  }

  it('no command brings it to make a handshake: M1 stays as the agent cleared it, whatever the RAM held', () => {
    for (const seed of [1, 2, 3]) {
      const fixture = new FirmwareFixture({ chip: 'stm32f411', seed }, 'stm32f4');
      fixture.boot();
      for (const name of Object.keys(HOST_COMMANDS) as (keyof typeof HOST_COMMANDS)[]) {
        fixture.setControl('JOB_LENGTH', 128);
        fixture.command(name);
        fixture.runMs(50);
        assert.deepEqual([fixture.state, fixture.error, fixture.control('COMMAND')], ['refused', REFUSED, 0], name);
      }
      assert.deepEqual(fixture.read(fixture.addressOf('M1'), CONTROL.M1.size), new Uint8Array(CONTROL.M1.size));
      assert.equal(fixture.control('HANDSHAKES'), 0);
    }
  });

  it('feeds a watchdog that runs already, so that whoever loaded it can read why', () => {
    const fixture = new FirmwareFixture({ chip: 'stm32f446' }, 'stm32f4');
    fixture.board.powerOn();
    fixture.board.runTo(2e6);
    fixture.setWord(0x40003000, 0xcccc);
    fixture.boot();
    fixture.runMs(5000);
    assert.deepEqual([fixture.state, fixture.error], ['refused', REFUSED]);
  });

  it('a chip that is not in its table is refused as wrong', () => {
    const fixture = new FirmwareFixture({ chip: 'stm32f427' }, 'stm32f4');
    fixture.boot();
    assert.deepEqual([fixture.state, fixture.error, fixture.detail], ['refused', CHIP_ERRORS.wrongChip.number, 0x419]);
  });
});
