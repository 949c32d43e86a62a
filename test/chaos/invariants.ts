// What must hold after every chaos run (docs/reliability.md, "Invariants"). Each check returns a
// sentence when it does not.
import { leakScanner } from '../../cli/demo/leak-scan.ts';
import { overfull } from '../fixtures/queue-peaks.ts';
import { STUB_IMAGE } from '../fixtures/board.ts';
import { FLASH_BASE, inPlan, sectorBounds } from './layout.ts';
import type { ChaosProduct } from './product.ts';

/** Flash before the job, and which ends are acceptable. */
export interface Expectation {
  readonly before: Uint8Array;
  readonly optcr: number;
  /** Without an attacker the job must end well. */
  readonly mustSucceed: boolean;
}

export type Check<Product = ChaosProduct> = (product: Product, expected: Expectation) => string | undefined;

const RUN_NS = 30e6;
const MOST_TIMERS = 400;
const MOST_IN_FLIGHT = 24 * 1024 * 1024;
const BOOT_SP = 0;
const BOOT_RESET = 4;

/** What this flash would start, the moment that cannot be made atomic (docs/threat-model.md) aside. */
function halfImageStarts(product: ChaosProduct, before: Uint8Array): string | undefined {
  const { bytes } = product.board.flash;
  const old = inPlan(product.plan).every(
    ([from, to]) => Buffer.compare(bytes.subarray(from, to), before.subarray(from, to)) === 0,
  );
  if (old || product.flashIsImage()) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const boot = (product.plan.bootAddress as number) - FLASH_BASE;
  const erased = view.getUint32(boot + BOOT_RESET, true) === 0xffffffff;
  return erased
    ? undefined
    : `flash is neither old nor complete and has a reset vector (SP ${view.getUint32(boot + BOOT_SP, true).toString(16)})`;
}

/** A real power-up of the state the run ended in. */
function runsAfterPowerUp(product: ChaosProduct): number | undefined {
  const { board } = product;
  board.powerOff();
  board.powerOn();
  board.runTo(board.time.now + RUN_NS);
  const pc = board.core.regs[15]! >>> 0;
  return board.core.lockedUp || !board.powered ? undefined : pc;
}

let known: ReturnType<typeof leakScanner> | undefined;
let knownOf = '';

/** Where of these places bytes of the image are found. */
export function imageBytesOn(
  image: Uint8Array,
  places: readonly (readonly [where: string, what: Uint8Array])[],
): string | undefined {
  const found = places.find(([, what]) => scannerFor(image).find(what, 1).length > 0);
  return found === undefined ? undefined : `image bytes on ${found[0]}`;
}

function scannerFor(image: Uint8Array): ReturnType<typeof leakScanner> {
  const name = Buffer.from(image).toString('latin1');
  if (known === undefined || knownOf !== name) {
    known = leakScanner(image, STUB_IMAGE);
    knownOf = name;
  }
  return known;
}

/** Whatever way leads to the board. */
export const COMMON_CHECKS = {
  falseReceipt: ({ stored }) =>
    stored.some(({ flashGood }) => !flashGood) ? 'a receipt was stored while flash was not the image' : undefined,
  oneReceipt: ({ stored, chaos }) => {
    const keys = new Set(stored.map(({ key }) => key));
    const writes = chaos.lock === 'none' ? 1 : 2;
    if (keys.size > 1) return `receipts for ${keys.size} units`;
    return new Set(stored.map(({ receipt }) => receipt.text)).size > writes ? 'more than one receipt' : undefined;
  },
  codeQuestions: ({ questions }) => questions.breaches[0],
  memory: ({ mostTimers, net, queues }) => {
    if (mostTimers > MOST_TIMERS) return `${mostTimers} timers at once`;
    const [full] = overfull(queues.peaks);
    if (full !== undefined) return `a queue holds more than it may: ${full}`;
    return net.mostInFlight > MOST_IN_FLIGHT ? `${net.mostInFlight} bytes in flight` : undefined;
  },
} as const satisfies Record<string, Check>;

const CHECKS = {
  ...COMMON_CHECKS,
  outsidePlan: (product, { before }) => {
    const { bytes } = product.board.flash;
    for (const [from, to] of sectorBounds(product.plan, 'outside')) {
      if (Buffer.compare(bytes.subarray(from, to), before.subarray(from, to)) !== 0) {
        return `flash changed in ${from.toString(16)}…${to.toString(16)}`;
      }
    }
    return undefined;
  },
  optionBytes: (product, { optcr }) => {
    const now = product.board.options.optcr;
    const allowed = product.chaos.lock === 'none' ? optcr : (optcr & ~0xff00) | (now & 0xff00);
    return (now & ~3) === (allowed & ~3) ? undefined : `OPTCR ${optcr.toString(16)} became ${now.toString(16)}`;
  },
  halfImage: (product, { before }) => halfImageStarts(product, before),
  nonceTwice: ({ crypto, replies }) => {
    if (crypto.repeats.length > 0) return `nonce ${crypto.repeats[0]} twice under one key`;
    return replies.repeats.length > 0 ? `two boxes of the chip under one number: ${replies.repeats[0]}` : undefined;
  },
  plaintext: ({ captures, chaos }) => {
    return imageBytesOn(Buffer.concat(chaos.image.segments.map(({ bytes }) => bytes)), [
      ['relay', Buffer.concat(captures.relay)],
      ['USB', Buffer.concat(captures.usb)],
      ['SWD', new Uint8Array(Uint32Array.from(captures.swd).buffer)],
    ]);
  },
  outcome: (product, { mustSucceed }) => {
    const { vendorEnd } = product;
    if (vendorEnd?.good === true && !product.flashIsImage()) {
      return 'the vendor was told done, and flash is not the image';
    }
    if (vendorEnd?.good === true && product.stored.length === 0) return 'done without a receipt';
    const locked = product.chaos.lock !== 'none' && product.flashIsImage();
    return mustSucceed && vendorEnd?.good !== true && !locked
      ? `no attacker, and yet: ${vendorEnd?.text ?? 'no end'}`
      : undefined;
  },
  powerUp: (product, { before }) => {
    if (product.chaos.lock !== 'none') return undefined;
    const complete = product.flashIsImage();
    const { bytes } = product.board.flash;
    const old = inPlan(product.plan).every(
      ([from, to]) => Buffer.compare(bytes.subarray(from, to), before.subarray(from, to)) === 0,
    );
    const pc = runsAfterPowerUp(product);
    if (complete || old) return pc === undefined ? 'a whole image does not start' : undefined;
    return pc !== undefined &&
      inPlan(product.plan).some(([from, to]) => pc >= FLASH_BASE + from && pc < FLASH_BASE + to)
      ? `an incomplete image runs at ${pc.toString(16)}`
      : undefined;
  },
} as const satisfies Record<string, Check>;

/** Every invariant that does not hold. `powerUp` restarts the board, so it comes last. */
export function broken(product: ChaosProduct, expected: Expectation): string[] {
  return sentences(CHECKS, product, expected);
}

export function sentences<Product>(
  checks: Readonly<Record<string, Check<Product>>>,
  product: Product,
  expected: Expectation,
): string[] {
  return Object.entries(checks).flatMap(([name, check]) => {
    const sentence = check(product, expected);
    return sentence === undefined ? [] : [`${name}: ${sentence}`];
  });
}
