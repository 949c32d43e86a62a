// Ways into the installer and out of it (docs/loader.md, "Entering and leaving the installer").
import assert from 'node:assert/strict';
import {
  complete,
  inInstaller,
  LOCKED,
  planted,
  record,
  runMs,
  runToPc,
  SPINS_AT,
  type Planted,
} from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';
import { image } from './prepared-boards.ts';

/** A board that has just left reset, with the link's other end. */
function linkedTo(what: Planted): LoaderLink {
  return new LoaderLink(planted(what));
}

describe('loader: how the installer is entered and left', () => {
  const RTC = { register: 5, value: 0x600dcafe };
  const BKP5 = 0x40002850 + 4 * RTC.register;
  const PWR_CR = 0x40007000;
  const banks = [[record('BANK', 1), complete(2, image)], []] as const;
  const entered = (): LoaderLink => {
    const link = installedWithRule();
    link.board.bus.write(0x40023840, 0x10000000, 4, 'cpu');
    link.board.bus.write(PWR_CR, 0x100, 4, 'cpu');
    link.board.bus.write(BKP5, RTC.value, 4, 'cpu');
    link.board.pressButton();
    runMs(link.board, 1);
    link.board.releaseButton();
    runMs(link.board, 20);
    return link;
  };
  function installedWithRule(): LoaderLink {
    const link = linkedTo({ image, banks, config: { rtc: RTC } });
    runToPc(link.board, SPINS_AT, 20);
    return link;
  }

  it('the RTC word enters it, and is used up; without a knock the image is back in 200 ms', () => {
    const { board } = entered();
    assert.ok(inInstaller(board));
    assert.equal(board.bus.read(BKP5, 4, 'cpu'), 0);
    const took = runToPc(board, SPINS_AT, 400);
    assert.ok(took < 205, `${took} ms`);
  });

  it('knocked at, it waits 10 s for a session, then the image is back', () => {
    const link = entered();
    link.knock(2);
    const took = runToPc(link.board, SPINS_AT, 12_000);
    assert.ok(took > 9000 && took < 10_100, `${took} ms`);
  });

  it('a knock as the board starts enters it, however its clock runs; without one the image starts on time, backup SRAM whole', () => {
    const config = { listenMs: 50 };
    for (const hsiDeviation of [-0.08, 0.05]) {
      const link = new LoaderLink(planted({ image, banks, config }, { ...LOCKED, hsiDeviation }));
      link.run(10);
      link.knock(3);
      assert.ok(inInstaller(link.board));
    }
    const quiet = linkedTo({ image, banks, config });
    const backup = quiet.board.soc.backupSram.bytes.slice();
    quiet.raw(new TextEncoder().encode('a program talks'));
    const took = runToPc(quiet.board, SPINS_AT, 100);
    assert.ok(took > 50 && took < 58, `${took} ms`);
    assert.deepEqual(quiet.board.soc.backupSram.bytes, backup);
    assert.equal(quiet.board.bus.read(0xe000e010, 4, 'cpu'), 0, 'SysTick is off');
  });

  it('a strap enters it; left by itself, it does not enter again by the same strap', () => {
    const link = linkedTo({ image, banks, config: { strap: { port: 1, pin: 3, level: 1 } } });
    link.board.soc.gpio['B']!.inputs = 1 << 3;
    runMs(link.board, 40);
    assert.ok(inInstaller(link.board));
    runToPc(link.board, SPINS_AT, 300);
    const other = linkedTo({ image, banks, config: { strap: { port: 1, pin: 3, level: 1 } } });
    runToPc(other.board, SPINS_AT, 20);
  });
});
