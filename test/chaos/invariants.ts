// What must hold after every chaos run (docs/reliability.md, "Invariants"). Each check returns a sentence when it does not.
import { leakScanner } from '../../cli/demo/leak-scan.ts';
import { overfull } from '../fixtures/queue-peaks.ts';
import { STUB_IMAGE } from '../fixtures/world.ts';
import { FLASH_BASE, inPlan, sectorBounds } from './layout.ts';
import type { Scene } from './scene.ts';

/** Flash before the job, and which ends are acceptable. */
export interface Expectation {
  readonly before: Uint8Array;
  readonly optcr: number;
  /** Without an attacker the job must end well. */
  readonly mustSucceed: boolean;
}

type Check = (scene: Scene, expected: Expectation) => string | undefined;

const RUN_NS = 30e6;
const MOST_TIMERS = 400;
const MOST_IN_FLIGHT = 24 * 1024 * 1024;
const BOOT_SP = 0;
const BOOT_RESET = 4;

/** What this flash would start, the moment that cannot be made atomic (docs/threat-model.md) aside. */
function halfImageStarts(scene: Scene, before: Uint8Array): string | undefined {
  const { bytes } = scene.board.flash;
  const old = inPlan(scene.plan).every(
    ([from, to]) => Buffer.compare(bytes.subarray(from, to), before.subarray(from, to)) === 0,
  );
  if (old || scene.flashIsImage()) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const boot = (scene.plan.bootAddress as number) - FLASH_BASE;
  const erased = view.getUint32(boot + BOOT_RESET, true) === 0xffffffff;
  return erased
    ? undefined
    : `flash is neither old nor complete and has a reset vector (SP ${view.getUint32(boot + BOOT_SP, true).toString(16)})`;
}

/** A real power-up of the state the run ended in. */
function runsAfterPowerUp(scene: Scene): number | undefined {
  const { board } = scene;
  board.powerOff();
  board.powerOn();
  board.runTo(board.time.now + RUN_NS);
  const pc = board.core.regs[15]! >>> 0;
  return board.core.lockedUp || !board.powered ? undefined : pc;
}

let known: ReturnType<typeof leakScanner> | undefined;
let knownOf = '';

function scannerFor(image: Uint8Array): ReturnType<typeof leakScanner> {
  const name = Buffer.from(image).toString('latin1');
  if (known === undefined || knownOf !== name) {
    known = leakScanner(image, STUB_IMAGE);
    knownOf = name;
  }
  return known;
}

export const CHECKS = {
  falseReceipt: ({ receipts }) =>
    receipts.some(({ flashGood }) => !flashGood) ? 'a receipt was stored while flash was not the image' : undefined,
  oneReceipt: ({ receipts, options }) => {
    const keys = new Set(receipts.map(({ key }) => key));
    const writes = options.lock === 'none' ? 1 : 2;
    if (keys.size > 1) return `receipts for ${keys.size} units`;
    return new Set(receipts.map(({ receipt }) => receipt.text)).size > writes ? 'more than one receipt' : undefined;
  },
  outsidePlan: (scene, { before }) => {
    const { bytes } = scene.board.flash;
    for (const [from, to] of sectorBounds(scene.plan, 'outside')) {
      if (Buffer.compare(bytes.subarray(from, to), before.subarray(from, to)) !== 0) {
        return `flash changed in ${from.toString(16)}…${to.toString(16)}`;
      }
    }
    return undefined;
  },
  optionBytes: (scene, { optcr }) => {
    const now = scene.board.options.optcr;
    const allowed = scene.options.lock === 'none' ? optcr : (optcr & ~0xff00) | (now & 0xff00);
    return (now & ~3) === (allowed & ~3) ? undefined : `OPTCR ${optcr.toString(16)} became ${now.toString(16)}`;
  },
  halfImage: (scene, { before }) => halfImageStarts(scene, before),
  nonceTwice: ({ crypto, replies }) => {
    if (crypto.repeats.length > 0) return `nonce ${crypto.repeats[0]} twice under one key`;
    return replies.repeats.length > 0 ? `two boxes of the chip under one number: ${replies.repeats[0]}` : undefined;
  },
  plaintext: ({ captures, options }) => {
    const scanner = scannerFor(Buffer.concat(options.image.segments.map(({ bytes }) => bytes)));
    const words = new Uint8Array(Uint32Array.from(captures.swd).buffer);
    for (const [where, what] of [
      ['relay', Buffer.concat(captures.relay)],
      ['USB', Buffer.concat(captures.usb)],
      ['SWD', words],
    ] as const) {
      if (scanner.find(what, 1).length > 0) return `image bytes on ${where}`;
    }
    return undefined;
  },
  memory: ({ mostTimers, net, queues }) => {
    if (mostTimers > MOST_TIMERS) return `${mostTimers} timers at once`;
    const [full] = overfull(queues.peaks);
    if (full !== undefined) return `a queue holds more than it may: ${full}`;
    return net.mostInFlight > MOST_IN_FLIGHT ? `${net.mostInFlight} bytes in flight` : undefined;
  },
  outcome: (scene, { mustSucceed }) => {
    const { vendorEnd } = scene;
    if (vendorEnd?.good === true && !scene.flashIsImage()) {
      return 'the vendor was told done, and flash is not the image';
    }
    if (vendorEnd?.good === true && scene.receipts.length === 0) return 'done without a receipt';
    const locked = scene.options.lock !== 'none' && scene.flashIsImage();
    return mustSucceed && vendorEnd?.good !== true && !locked
      ? `no attacker, and yet: ${vendorEnd?.text ?? 'no end'}`
      : undefined;
  },
  powerUp: (scene, { before }) => {
    if (scene.options.lock !== 'none') return undefined;
    const complete = scene.flashIsImage();
    const { bytes } = scene.board.flash;
    const old = inPlan(scene.plan).every(
      ([from, to]) => Buffer.compare(bytes.subarray(from, to), before.subarray(from, to)) === 0,
    );
    const pc = runsAfterPowerUp(scene);
    if (complete || old) return pc === undefined ? 'a whole image does not start' : undefined;
    return pc !== undefined && inPlan(scene.plan).some(([from, to]) => pc >= FLASH_BASE + from && pc < FLASH_BASE + to)
      ? `an incomplete image runs at ${pc.toString(16)}`
      : undefined;
  },
} as const satisfies Record<string, Check>;

/** Every invariant that does not hold. `powerUp` restarts the board, so it comes last. */
export function broken(scene: Scene, expected: Expectation): string[] {
  return Object.entries(CHECKS).flatMap(([name, check]) => {
    const sentence = check(scene, expected);
    return sentence === undefined ? [] : [`${name}: ${sentence}`];
  });
}
