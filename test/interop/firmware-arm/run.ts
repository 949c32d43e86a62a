// `npm run test:stub`: the shipped stub's cryptography is right, takes the same time whatever the secrets,
// keeps its budgets. Usage: node --import tsx test/interop/firmware-arm/run.ts [--seed N] [--sequences N]
// [--quick] [--rebuilt] [--write]
//   --sequences so many random sequences of the state machine instead of 20,000
//   --quick    fewer differential cases, no long vectors on the board: for work on the stub
//   --rebuilt  judge the bytes just built instead of firmware/prebuilt
//   --write    put the tables into docs/stub.md instead of comparing them

import { differentialSuites, reduceAll } from '../firmware-host/differential.ts';
import { cornerSuites } from '../firmware-host/corners.ts';
import { buildNative, failures as hostFailures, type Host, type Suite } from '../firmware-host/host.ts';
import { vectorSuites } from '../firmware-host/vectors.ts';
import { misaligned } from './alignment.ts';
import { PAIRS } from '../../integration/firmware/random-sequences.ts';
import { ask, lacking } from './ask.ts';
import { BoardMachine } from './board-machine.ts';
import { figures } from './budgets.ts';
import { BAD_BIN, badByGate, badVariants, buildConstantTime, byCore, byQemu, byTaint } from './constant-time.ts';
import { objections } from './gate.ts';
import { pitfallChecks, PITFALLS } from './pitfalls.ts';
import type { Machine } from './program.ts';
import { buildQemuTools, QemuMachine } from './qemu-machine.ts';
import { residues } from './residue.ts';
import { SECRET_CASES, variantCase, VARIANTS } from './secret-cases.ts';
import { type Shipped, shipped } from './shipped.ts';
import { type Played, playSequences } from './state-machine.ts';
import { constantTimeTable, figureTable, type Judged, pitfallTable, quote, quoted, withinBudget } from './tables.ts';
import { playVector } from './vector-session.ts';
import { Tally } from './tally.ts';
import { TracingCore } from './tracing-core.ts';

const flag = (name: string) => process.argv.includes(name);
const quick = flag('--quick');
const number = (name: string, otherwise: number) =>
  flag(name) ? Number(process.argv[process.argv.indexOf(name) + 1]) : otherwise;
const seed = number('--seed', 427);
/** Sequences of a run, enough for every event to happen in every state. */
const SEQUENCES = 20_000;
const sequences = number('--sequences', SEQUENCES);

/** Differential cases by machine, in the units of stub-host/differential.ts; X25519 has 1,100 of them in each. */
const SCALE = quick
  ? { 'crypto-lines': 0.2, 'crypto-lines-san': 0.1, qemu: 0.2, board: 0.05 }
  : { 'crypto-lines': 3, 'crypto-lines-san': 0.5, qemu: 2, board: 0.5 };
/** What a whole run must try at least. */
const DIFFERENTIAL_CASES = 100_000;
const RUNS = { core: 16, qemu: 64 } as const;
/** Vectors that take long on the board; `--quick` leaves them to QEMU. */
const LONG = /^x25519-iterate .* 1000$|^sha512-repeat|4194304$/;
/** A million calls; the host's build takes them. */
const NEVER_ON_ARM = /^sha512-repeat \w+ 1000000 1$/;

/** Functions gcc calls behind one's back. */
const LIBRARY = /^(__aeabi_|__|mem(cmp|cpy|set|move)$|str)/;

const tally = new Tally();
let differential = 0;

/** Each machine gets its own seed, so that no case is tried twice. */
function fuzz(machine: keyof typeof SCALE): Suite[] {
  const suites = differentialSuites(seed + Object.keys(SCALE).indexOf(machine), SCALE[machine]);
  differential += suites.reduce((sum, suite) => sum + suite.cases.length, 0);
  return suites;
}

function onHosts(): void {
  const hosts = buildNative().filter((host): host is Host & keyof typeof SCALE => host in SCALE);
  for (const host of hosts) {
    tally.part(`C on the host: ${host}`);
    for (const suite of [...vectorSuites(), ...cornerSuites(seed), ...fuzz(host)]) {
      const bad = hostFailures(host, suite);
      tally.cases(suite.name, suite.cases.length - bad.length, bad);
    }
  }
}

/** The field suite asks for six results; the shipped code has three of them as functions. */
function forArm(suite: Suite, long: boolean): Suite {
  const cases = suite.cases.filter(({ ask: line }) => !NEVER_ON_ARM.test(line) && (long || !LONG.test(line)));
  return { ...suite, cases: cases.map((one) => (one.ask.startsWith('fe ') ? fieldOnArm(one) : one)) };
}
function fieldOnArm(one: Suite['cases'][number]): Suite['cases'][number] {
  const want = one.want.split(' ').slice(0, 3);
  const by = (answer: string) => reduceAll(answer.split(' ').map((word, i) => (word === '?' ? want[i]! : word)));
  return { ask: one.ask, want: want.join(' '), by };
}

function onMachine(machine: Machine, stub: Shipped, name: 'qemu' | 'board'): void {
  tally.part(`shipped ARM code on ${machine.name}`);
  const long = name === 'qemu' || !quick;
  for (const suite of [...vectorSuites(), ...cornerSuites(seed), ...fuzz(name)].map((one) => forArm(one, long))) {
    const lacks = lacking(stub, suite);
    if (lacks.length > 0) {
      tally.check(suite.name, `the shipped stub has no ${lacks.join(', ')}`);
      continue;
    }
    const { passed, failures } = ask(machine, stub, suite);
    tally.cases(suite.name, passed, failures);
  }
  const { cases, failures } = misaligned(machine, stub, seed);
  tally.cases('every pair of misalignments', cases - failures.length, failures);
}

/** Every method over every function: all silent. */
function judgeFunctions(stub: Shipped, core: TracingCore, qemu: QemuMachine): Judged[] {
  const refused = objections(stub.elf, stub.crypto);
  tally.check(`gate: ${stub.crypto.size} functions without division, conditional access, foreign calls`, refused[0]);
  const foreign = [...stub.functions.keys()].filter((name) => LIBRARY.test(name));
  tally.check('gate: no function of a library in the stub', foreign.length === 0 ? undefined : foreign.join(', '));
  const tainted = new Map([...new Set(SECRET_CASES.map((one) => one.taint))].map((name) => [name, byTaint(name)]));
  return SECRET_CASES.map((one) => {
    const judged: Judged = {
      name: one.name,
      taint: tainted.get(one.taint),
      core: byCore(core, stub.functions, one, RUNS.core, seed),
      qemu: byQemu(qemu, stub.functions, one, RUNS.qemu, seed),
      gate: refused[0],
    };
    const found = [judged.taint, judged.core.trace, judged.qemu.trace, judged.core.cycles].find(
      (it) => it !== undefined,
    );
    tally.check(`constant time: ${one.name}`, found);
    tally.check(`core and QEMU count the same instructions: ${one.name}`, miscounted(judged));
    return judged;
  });
}

function miscounted({ core, qemu }: Judged): string | undefined {
  return core.instructions === qemu.instructions ? undefined : `${core.instructions} and ${qemu.instructions}`;
}

/** Every method over the bad variants: each is found by one at least; the control by none. */
function judgeVariants(core: TracingCore, qemu: QemuMachine): Judged[] {
  const { functions } = badVariants();
  return VARIANTS.map((name) => {
    const one = variantCase(name);
    const judged: Judged = {
      name,
      taint: byTaint(name),
      core: byCore(core, functions, one, RUNS.core, seed),
      qemu: byQemu(qemu, functions, one, RUNS.qemu, seed),
      gate: badByGate(name),
    };
    const finders = [judged.taint, judged.core.trace, judged.qemu.trace, judged.gate].filter((it) => it !== undefined);
    if (name === 'fine') tally.check('control: good code is found by no method', finders[0]);
    else tally.check(`${name} is caught`, finders.length > 0 ? undefined : 'by no method');
    return judged;
  });
}

/** After a call no secret may be on the stack, nor a word that depends on one; during it the search must find some. */
function leftovers(stub: Shipped, board: BoardMachine): void {
  for (const { name, during, after, dependent } of residues(stub, board, seed)) {
    const blind = during.length === 0 ? 'the search finds nothing during the call either' : undefined;
    const words =
      dependent.length > 0 ? `${dependent.length} words, one at 0x${dependent[0]!.toString(16)}` : undefined;
    tally.check(`${name} leaves no secret on the stack`, after.length > 0 ? after.join(', ') : (words ?? blind));
  }
}

function budgets(stub: Shipped, board: BoardMachine): string {
  const all = figures(stub, board);
  for (const one of all.filter(({ budget }) => budget !== undefined)) {
    const wrong = `${one.measured} ${one.unit}, budget ${one.budget}`;
    tally.check(`budget: ${one.what}`, withinBudget(one) ? undefined : wrong);
  }
  return figureTable(all);
}

function document(tables: Readonly<Record<string, string>>): void {
  tally.part('tables');
  for (const [name, text] of Object.entries(tables)) {
    console.log(`\n${text}\n`);
    if (flag('--write')) quote(name, text);
    tally.check(`docs/stub.md quotes the table "${name}"`, quoted(name, text) ? undefined : 'run again with --write');
  }
}

function judge(stub: Shipped): void {
  buildQemuTools();
  buildConstantTime();
  const { image: second } = badVariants();
  const board = new BoardMachine(stub.image);
  const qemu = new QemuMachine(stub.file, BAD_BIN);
  const core = new TracingCore(stub.image, second);
  onHosts();
  onMachine(qemu, stub, 'qemu');
  onMachine(board, stub, 'board');
  if (!quick) {
    tally.check('100,000 differential cases', differential < DIFFERENTIAL_CASES ? `${differential}` : undefined);
  }
  tally.part('sealed session');
  tally.check('sealed handshake of protocol.json on the shipped stub', playVector(stub));
  tally.part('constant time');
  const functions = judgeFunctions(stub, core, qemu);
  const variants = judgeVariants(core, qemu);
  tally.part('hygiene and pitfalls');
  leftovers(stub, board);
  for (const { name, run } of pitfallChecks(stub, core)) tally.check(name, run());
  for (const { pitfall, checks } of PITFALLS) {
    const unseen = checks.filter((name) => !tally.saw(name));
    tally.check(`pitfall: ${pitfall}`, unseen.length === 0 ? undefined : `not run or failed: ${unseen.join('; ')}`);
  }
  tally.part('budgets');
  const measured = budgets(stub, board);
  document({
    figures: measured,
    'constant time': constantTimeTable(functions),
    'bad variants': constantTimeTable(variants),
    pitfalls: pitfallTable(PITFALLS),
  });
}

function missing(seen: number): string | undefined {
  return seen === PAIRS ? undefined : `${seen} of ${PAIRS} pairs`;
}

function stateMachine({ sequences: played, events, pairs, wrong }: Played): void {
  tally.part('state machine');
  tally.cases('sequences agree with the model', played, wrong === undefined ? [] : [wrong]);
  console.log(`       ${events.toLocaleString('en-US')} events, ${pairs.length} pairs of state and event`);
  if (played >= SEQUENCES) tally.check('every event in every state', missing(pairs.length));
}

const machine = playSequences(sequences, seed);
tally.part('the stub as shipped');
const stub = shipped(flag('--rebuilt'));
tally.check(
  'the rebuilt bytes are those of firmware/prebuilt',
  stub.identical ? undefined : 'they differ: make -C firmware prebuilt',
);
if (stub.identical || flag('--rebuilt')) judge(stub);
stateMachine(await machine);
console.log(`\nseed ${seed}, ${differential.toLocaleString('en-US')} differential cases`);
console.log(`stub: ${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 ? 0 : 1;
