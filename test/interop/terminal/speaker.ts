// One end of the product with nothing behind it: `speaker.ts SIDE SEED COUNT [--json]`. COUNT messages of a hostile
// peer go the way they go in the product (bytes, decoder, view) to this process's own terminal. The fuzz starts it and
// looks at what comes out.
import { runReported, reportError } from '../../../cli/terminal/report.ts';
import { say } from '../../../cli/terminal/output.ts';
import { createProgress, progressMode } from '../../../cli/terminal/progress.ts';
import { createPrompt } from '../../../cli/terminal/prompt.ts';
import { TerminalCustomer } from '../../../cli/customer/terminal-customer.ts';
import { JobView } from '../../../cli/vendor/job-view.ts';
import { consentSheet } from '../../../agent/consent/sheet.ts';
import { problemError } from '../../../controller/job/problems.ts';
import { describePlan } from '../../../controller/plan/describe.ts';
import { fromHex, toHex, utf8 } from '../../../shared/codec/bytes.ts';
import { quotable, rawText } from '../../../shared/codec/foreign-text.ts';
import { findChip } from '../../../shared/chips/index.ts';
import { fail } from '../../../shared/errors/errors.ts';
import { decodePlan, encodePlan, planHash } from '../../../shared/plan/plan.ts';
import { parseSigned, verifyReceipt } from '../../../shared/plan/receipt.ts';
import { createLog } from '../../../shared/platform/node/logger.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { BOARD_STATES, type BoardState } from '../../../shared/tunnel/bodies.ts';
import { decodeInvite } from '../../../shared/tunnel/invite.ts';
import { decodeMessage, encodeMessage, type MessageOf } from '../../../shared/tunnel/messages.ts';
import { smallPlan } from '../../fixtures/plans.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { hostileText, hostileUtf8, oneOf, type Dice } from './hostile-text.ts';
import { hostileReceipt } from './hostile-receipt.ts';

const [side = '', seed = '1', count = '1'] = process.argv.slice(2);
const json = process.argv.includes('--json');
const dice: Dice = seededRandom(Number(seed));
const boards = Object.keys(BOARD_STATES) as BoardState[];
const log = createLog('debug', side);

const text = (most: number): string => hostileText(dice, most);
const told = (error: unknown): void => void reportError(error, { json, debug: true, reader: 'vendor' });

/** Messages as an agent that means ill writes them. */
function vendorHears(view: JobView): void {
  const acts: readonly (() => void)[] = [
    () => view.show({ type: 'hello', hello: helloOf() }),
    () => view.show({ type: 'problem', problem: problemOf(), restarting: dice.int(2) === 0 }),
    () => told(problemError(problemOf(), true)),
    () => told(thrownBy(() => decodeMessage('agent', badJson(0x01)))),
    () => told(thrownBy(() => decodeMessage('agent', badJson(0x0b)))),
    () => told(thrownBy(() => verifyReceipt(hostileReceipt(dice), verifyEd25519))),
    () => told(thrownBy(() => parseSigned(text(400)))),
    () => view.say(...describePlan(planOf(), findChip(0x419)!)),
    () => log.warn({ what: rawText(problemOf().detail) }, text(50)),
    () => view.say(text(500)),
  ];
  oneOf(dice, acts)();
}

/** Messages as a vendor that means ill writes them. */
function customerHears(customer: TerminalCustomer): void {
  const acts: readonly (() => void)[] = [
    () => customer.showSheet(sheetOf()),
    () => customer.say(quotable(failureOf().detail)),
    () => customer.say(text(500)),
    () => told(fail('BF-TUNNEL-CLOSED', failureOf().detail)),
    () => told(thrownBy(() => decodeMessage('controller', badJson(0x0d)))),
    () => told(thrownBy(() => decodeInvite(`bf2.${text(200)}`, 0))),
    () => told(new Error(text(300))),
    () => log.warn({ what: rawText(failureOf().detail) }, text(50)),
  ];
  oneOf(dice, acts)();
}

function helloOf(): MessageOf<'HELLO'>['hello'] {
  const probe = { kind: text(64), firmware: text(64), serial: text(64), millivolts: 3300 };
  const target = {
    devId: 0x419,
    revId: 0,
    uid: '00'.repeat(12),
    flashKiB: 2048,
    rdp: 0,
    optcr: 0x0fffaaed,
    optcr1: 0x0fff0000,
  } as const;
  const bytes = encodeMessage({ name: 'HELLO', hello: { agent: text(64), stubs: [], probe, target } });
  return (decodeMessage('agent', bytes) as MessageOf<'HELLO'>).hello;
}

function problemOf(): MessageOf<'PROBLEM'>['problem'] {
  const code = oneOf(dice, ['BF-PROBE-UNPLUGGED', 'BF-STUB-CRASHED', `BF-${'X'.repeat(1 + dice.int(40))}`]);
  const problem = { code, detail: text(300), board: oneOf(dice, boards) };
  return (decodeMessage('agent', encodeMessage({ name: 'PROBLEM', problem })) as MessageOf<'PROBLEM'>).problem;
}

function failureOf(): Extract<MessageOf<'BYE'>, { done: false }>['failure'] {
  const bytes = encodeMessage({ name: 'BYE', done: false, failure: { code: 'BF-X', detail: text(300) } });
  return (decodeMessage('controller', bytes) as Extract<MessageOf<'BYE'>, { done: false }>).failure;
}

function planOf(): ReturnType<typeof decodePlan> {
  return decodePlan(encodePlan(smallPlan({ label: hostileUtf8(dice, 64) })));
}

function sheetOf(): ReturnType<typeof consentSheet> {
  const plan = planOf();
  const uid = fromHex('0102030405060708090a0b0c');
  return consentSheet({
    plan,
    planHash: planHash(encodePlan(plan)),
    word: toHex(dice.bytes(2)),
    another: false,
    vendor: dice.bytes(32),
    vendorKnown: false,
    board: { devId: 0x419, revId: 0, uid, flashKiB: 2048, optcr: 0x0fffaaed, optcr1: 0x0fff0000, rdp: 0 },
    probe: { kind: 'ST-LINK/V2', firmware: text(64), serial: text(64), path: 'usb' },
    stubHash: dice.bytes(64),
    stubRuns: false,
    reached: 'running',
  });
}

/** A body of JSON that is wrong, its keys and values hostile: what is said of it must not repeat them raw. */
function badJson(type: number): Uint8Array {
  const key = text(60);
  const body = oneOf(dice, [
    { [key]: text(60) },
    { code: text(40), detail: text(40), board: text(40), [key]: 1 },
    [text(60)],
    text(60),
  ]);
  const bytes = utf8(dice.int(4) === 0 ? text(60) : JSON.stringify(body));
  const isBye = type === 0x0d;
  return Uint8Array.of(type, ...(isBye ? [0, bytes.length & 0xff, bytes.length >> 8] : []), ...bytes);
}

function thrownBy(work: () => unknown): unknown {
  try {
    return new Error(`nothing was refused: ${String(work())}`);
  } catch (error) {
    return error;
  }
}

async function speak(): Promise<void> {
  const prompt = createPrompt({ program: json });
  const progress = createProgress(progressMode(json), systemClock);
  const customer = new TerminalCustomer({ prompt, progress, json });
  const view = new JobView(json, { beside: (write) => write() });
  for (let left = Number(count); left > 0; left--) {
    if (side === 'vendor') vendorHears(view);
    else customerHears(customer);
  }
  if (!json) say(`spoken: ${count}`);
  await prompt.close();
}

process.exitCode = await runReported(speak, { json });
