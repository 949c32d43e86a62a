// What the controller checks before it believes that the right board is at the other end: of the agent's HELLO, and of
// what the stub itself read (docs/protocol.md §6, §8).
import { toHex } from '../../shared/codec/bytes.ts';
import { rawText } from '../../shared/codec/foreign-text.ts';
import {
  OPTCR,
  isCutWrite,
  writeProtectionBits,
  protectionLevel,
  requireChip as requireChipRow,
  type Chip,
  type OptionWords,
} from '../../shared/chips/index.ts';
import { fail, type ErrorCode } from '../../shared/errors/errors.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { plantsLoader, type Plan, type PlanKind } from '../../shared/plan/plan.ts';
import { requireUnprotected } from '../../shared/plan/protection.ts';
import { modeRow, type ProgramOnChip } from '../../shared/plan/modes.ts';
import { programOf } from '../../shared/plan/program.ts';
import { STUB_MAJOR, type BootFacts, type StubFacts } from '../../shared/sealed/payloads.ts';
import { suiteFor, type SealedSuite } from '../../shared/sealed/protocol.ts';
import { SERIAL_LINE, type Hello } from '../../shared/tunnel/bodies.ts';
import { UNKNOWN } from './problems.ts';

/** Plans that a program on the chip carries out, in a sealed session. */
export function needsSession(plan: Pick<Plan, 'kind' | 'mode'>): boolean {
  return programOf(plan) !== undefined;
}

/** Kinds that change option bytes: the agent writes them. */
export function changesOptions({ kind }: Pick<Plan, 'kind'>): boolean {
  return KINDS[kind].options !== 'kept';
}

/**
 * A chip that cannot make a key is told to the vendor before anybody is invited; the stub would refuse it too.
 * @throws BF-TARGET-NO-RANDOM
 */
export function requireRandom(kind: PlanKind, chip: Chip): void {
  const { stub, loader } = KINDS[kind];
  if ((stub || loader) && !chip.random) throw fail('BF-TARGET-NO-RANDOM', chip.name);
}

/** The suite of a plan's sealed session. */
export function suiteOf({ mode, kind }: Pick<Plan, 'mode' | 'kind'>): SealedSuite {
  return suiteFor(modeRow(mode).keyKind, KINDS[kind].enrols);
}

const RDP_REFUSALS = { 1: 'BF-TARGET-RDP1', 2: 'BF-TARGET-RDP2' } as const satisfies Record<1 | 2, ErrorCode>;

/** The agent's word about chip, size, protection and stubs. Not authenticated by the chip; saves a vain attempt. */
export function checkHello(hello: Hello, plan: Plan, allowedStubs: readonly string[]): void {
  const { devId, flashKiB, rdp } = hello.target;
  const program = programOf(plan);
  requireWay(hello, program ?? 'stub');
  // A protected chip tells a probe no flash size: its protection is the news, not the missing number.
  requireChip(plan, devId, rdp === 0 || program === 'loader' ? flashKiB : plan.flashKiB);
  if (program === undefined) return;
  if (program === 'loader') requireLocked(hello.target.optcr);
  else requireOpen(rdp, plan, hello.target);
  requireUnprotected(plan, requireChipRow(plan.devId), hello.target);
  requireSupply(plan, hello.probe.millivolts);
  if (!hello.stubs.some((hash) => allowedStubs.includes(hash))) {
    throw fail(UNKNOWN[program], `the agent has no ${program} this version trusts`);
  }
}

/**
 * The agent's way to its board is the job's: a serial line to a loader, a probe for all else.
 * @throws BF-JOB-OTHER-WAY
 */
function requireWay({ probe }: Hello, wanted: ProgramOnChip): void {
  const way = rawText(probe.kind) === SERIAL_LINE ? 'loader' : 'stub';
  if (way === wanted) return;
  const reached = way === 'loader' ? 'over the serial line to the loader' : 'through a probe';
  throw fail('BF-JOB-OTHER-WAY', `the customer’s computer reaches the board ${reached}`);
}

/** Flash is written at full width from here on (RM0090 table 13); a planting writes option bytes once for good. */
const PLANTING_MILLIVOLTS = 2700;

/** @param millivolts as the probe measured; null or 0: it cannot. @throws BF-TARGET-SUPPLY */
function requireSupply(plan: Plan, millivolts: number | null): void {
  if (!plantsLoader(plan) || millivolts === null || millivolts === 0 || millivolts >= PLANTING_MILLIVOLTS) return;
  throw fail('BF-TARGET-SUPPLY', `the probe measures ${millivolts} mV`);
}

/** Bit of DHCSR that a debugger sets (DDI0403 C1.6.2). */
const C_DEBUGEN = 1;

/**
 * A key that a device keeps for life is behind level 1. Level 2 is refused too: no loader of ours sets it, and nobody
 * could ever free such a chip.
 * @throws BF-TARGET-UNLOCKED, BF-TARGET-RDP2
 */
function requireLocked(optcr: number): void {
  const level = protectionLevel(optcr);
  if (level !== 1) throw fail(level === 0 ? 'BF-TARGET-UNLOCKED' : 'BF-TARGET-RDP2', `OPTCR 0x${optcr.toString(16)}`);
}

/** And nobody looks in. @throws also BF-TARGET-WATCHED */
function requireSecret({ optcr }: StubFacts, { debug, watchers }: BootFacts): void {
  requireLocked(optcr);
  if ((debug & C_DEBUGEN) !== 0 || watchers !== 0) {
    throw fail('BF-TARGET-WATCHED', `DHCSR 0x${debug.toString(16)}, watchers ${watchers}`);
  }
}

/** OPTCR as a planting leaves it: RDP 55, sector 0 write-protected. */
const PLANTED_LEVEL_1 = 0x5500;

/** OPTCR reads what LOCK of this plan makes it. */
export function showsLock(plan: Plan, optcr: number): boolean {
  return plantsLoader(plan) ? isPlantedLock(optcr) : protectionLevel(optcr) === 1;
}

function isPlantedLock(optcr: number): boolean {
  return (optcr & OPTCR.readProtection) === PLANTED_LEVEL_1 && (optcr & writeProtectionBits([0]).optcr) === 0;
}

/** @throws BF-TARGET-OPTIONS-TORN for a lock that is not the one of a planting */
export function requirePlanted({ optcr }: Pick<StubFacts, 'optcr'>): void {
  if (!isPlantedLock(optcr)) throw fail('BF-TARGET-OPTIONS-TORN', `OPTCR 0x${optcr.toString(16)}`);
}

function requireOpen(level: 0 | 1 | 2, { devId }: Plan, words: OptionWords): void {
  if (level === 0) return;
  const cut = isCutWrite(requireChipRow(devId), words);
  throw fail(cut ? 'BF-TARGET-OPTIONS-CUT' : RDP_REFUSALS[level], `OPTCR 0x${words.optcr.toString(16)}`);
}

/**
 * What the stub says it read on its chip; authentic once the handshake is confirmed.
 * @param uid of the job's first unit @param hello what the agent said of the same chip
 */
export function checkFacts(facts: StubFacts, plan: Plan, uid: string | undefined, { target }: Hello): void {
  const version = facts.stubVersion >>> 8;
  if (version !== STUB_MAJOR) throw fail('BF-VERSION-MISMATCH', `a stub of version ${version}; this is ${STUB_MAJOR}`);
  requireChip(plan, facts.idcode & 0xfff, facts.flashKiB);
  if (facts.boot === undefined) requireOpen(protectionLevel(facts.optcr), plan, facts);
  else requireSecret(facts, facts.boot);
  if (plantsLoader(plan) && facts.widest !== 'x32') throw fail('BF-TARGET-SUPPLY', 'by the chip’s own detector');
  // What was to be lifted is lifted before the stub reads it.
  requireUnprotected({ ...plan, flags: [] }, requireChipRow(plan.devId), facts);
  if (uid !== undefined && toHex(facts.uid) !== uid) {
    throw fail('BF-JOB-OTHER-BOARD', `unit ${toHex(facts.uid)} instead of ${uid}`);
  }
  requireSameChip(facts, target);
}

/**
 * What the agent said before must be what the chip says now, where the agent could tell it.
 * @throws BF-JOB-OTHER-BOARD
 */
function requireSameChip(facts: StubFacts, told: Hello['target']): void {
  const require = (what: string, before: string, now: string): void => {
    if (before === now || /^0*$/.test(before)) return;
    throw fail('BF-JOB-OTHER-BOARD', `the agent told ${what} ${before}, the chip says ${now}`);
  };
  require('DEV_ID', told.devId.toString(16), (facts.idcode & 0xfff).toString(16));
  require('the UID', told.uid, toHex(facts.uid));
  require('a flash size of', String(told.flashKiB), String(facts.flashKiB));
}

function requireChip(plan: Plan, devId: number, flashKiB: number): void {
  if (devId !== plan.devId) throw fail('BF-PLAN-WRONG-CHIP', `DEV_ID 0x${devId.toString(16)}`);
  if (plan.flashKiB !== 0 && flashKiB !== plan.flashKiB) {
    throw fail('BF-PLAN-WRONG-CHIP', `the chip has ${flashKiB} KiB of flash, the plan says ${plan.flashKiB}`);
  }
}
