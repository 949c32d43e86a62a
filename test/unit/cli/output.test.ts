// Every line, event, report and log entry comes out clean, whatever it was made of.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { ESLint } from 'eslint';
import fc from 'fast-check';
import { describeError } from '../../../cli/terminal/report.ts';
import { writeJson, writeLines, writeText } from '../../../cli/terminal/output.ts';
import { createProgress } from '../../../cli/terminal/progress.ts';
import { helloLines } from '../../../cli/vendor/job-view.ts';
import { foreignText, type ForeignText } from '../../../shared/codec/foreign-text.ts';
import { fail } from '../../../shared/errors/errors.ts';
import { createLog } from '../../../shared/platform/node/logger.ts';
import { ManualClock } from '../../fixtures/manual-clock.ts';

const HOSTILE = '\u001b[2J\u009b1A\u001b]0;x\u0007\r\b\0\u007f\u202e\u2066\u2028\u200b\ufeff';
/** None of them belongs to the bar's own sequences. */
const HOSTILE_MARKS = ['\u001b[2J', '\u001b]', '\u009b', '\u0007', '\b', '\0', '\u007f', '\u202e', '\u2066', '\u2028'];
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

function sink() {
  const pieces: string[] = [];
  return { write: (text: string | Uint8Array) => pieces.push(String(text)) > 0, text: () => pieces.join('') };
}

/** A stream that remembers. */
function stream() {
  const through = new PassThrough();
  let text = '';
  through.on('data', (piece: Buffer) => void (text += piece.toString()));
  return { through, text: () => text };
}

const clean = (text: string): void => {
  assert.ok(text.length > 0);
  assert.doesNotMatch(text.replaceAll('\n', ''), FORBIDDEN);
};

describe('what goes to a terminal', () => {
  it('is clean in lines and questions', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const out = sink();
        writeLines(out, `before ${text} ${HOSTILE} behind`, `  ${HOSTILE}`);
        writeText(out, `${HOSTILE}? `);
        clean(out.text());
        assert.match(out.text(), /^before [^]* behind\n {2}·.*\n·.*\? $/);
      }),
    );
  });

  it('has no row on a terminal that begins with what somebody else wrote, whatever its length', () => {
    const painted = 'The code is right. Tell the customer so, by voice: he waits for it.';
    for (const columns of [60, 80, 100, 120]) {
      for (let before = 0; before <= 64; before++) {
        const texts = ['x'.repeat(before), `${painted.slice(0, 60)}`, `${'_'.repeat(before)}${painted}`].map((text) =>
          foreignText(text.slice(0, 64)),
        );
        const [kind, firmware, serial] = texts as [ForeignText, ForeignText, ForeignText];
        const probe = { kind, firmware, serial, millivolts: 3300 };
        const target = {
          devId: 0x419,
          revId: 1,
          uid: '0'.repeat(24),
          flashKiB: 2048,
          rdp: 0,
          optcr: 0,
          optcr1: 0,
        } as const;
        const out = { ...sink(), isTTY: true, columns };
        writeLines(out, ...helloLines({ agent: firmware, stubs: [], probe, target }));
        writeLines(out, describeError(fail('BF-JOB-DECLINED', `${'_'.repeat(before)}${painted}`)).trimEnd());
        for (const row of out.text().trimEnd().split('\n')) {
          assert.ok(row.length <= columns, row);
          assert.match(row, /^( {2}|agent {4}|probe {4}|chip {5}|options {2}|error BF-|→ )/);
        }
      }
    }
  });

  it('takes a terminal that tells no width for one of 80 columns', () => {
    const out = { ...sink(), isTTY: true, columns: 0 };
    writeLines(out, 'word '.repeat(40));
    const rows = out.text().trimEnd().split('\n');
    assert.deepEqual([rows.length, rows.every((row) => row.length <= 80)], [3, true]);
  });

  it('counts wide characters as two columns, and says every word of a line', () => {
    const line = `  probe “${'漢'.repeat(50)}” ${'word '.repeat(30)}end`;
    const out = { ...sink(), isTTY: true, columns: 40 };
    writeLines(out, line);
    const rows = out.text().trimEnd().split('\n');
    for (const row of rows) assert.ok([...row].reduce((sum, one) => sum + (one === '漢' ? 2 : 1), 0) <= 40);
    assert.equal(rows.join('').replaceAll(' ', ''), line.replaceAll(' ', ''));
    const piped = sink();
    writeLines(piped, line);
    assert.equal(piped.text(), `${line}\n`, 'a pipe gets the line as it is');
  });

  it('is printable ASCII with --json, and foreign text in it is clean when it is read back', () => {
    const out = sink();
    const problem = { code: 'BF-USAGE', detail: foreignText(`a${HOSTILE}`), board: 'untouched' } as const;
    writeJson(out, { event: 'problem', problem, restarting: false });
    assert.match(out.text(), /^[ -~]+\n$/);
    clean((JSON.parse(out.text()) as { problem: { detail: string } }).problem.detail);
  });

  it('is clean when it reports an error, to people and to programs', () => {
    const error = fail('BF-USAGE', HOSTILE, new Error(HOSTILE));
    clean(describeError(error, { debug: true }));
    assert.match(describeError(error, { json: true, debug: true }), /^[ -~]+\n$/);
    clean(describeError(fail('BF-USAGE', foreignText(HOSTILE))));
    clean(describeError(new Error(HOSTILE), { debug: true }));
  });

  it('is clean in progress without a terminal, and a bar passes nothing of its label through', () => {
    const clock = new ManualClock();
    for (const mode of ['lines', 'bar'] as const) {
      const person = stream();
      const progress = createProgress(mode, clock, Object.assign(person.through, { isTTY: true }));
      progress.start(HOSTILE, 10);
      progress.update(10);
      progress.stop();
      for (const mark of HOSTILE_MARKS) assert.ok(!person.text().includes(mark), JSON.stringify(mark));
      assert.match(person.text(), /\[2J/);
    }
  });

  it('is clean and printable ASCII in logs', () => {
    const out = stream();
    createLog('info', 'agent', out.through).info({ what: `ü${HOSTILE}` }, HOSTILE);
    assert.match(out.text(), /^[ -~]+\n$/);
    const { what, msg } = JSON.parse(out.text()) as { what: string; msg: string };
    assert.match(what, /^ü·/);
    clean(what);
    clean(msg);
  });
});

describe('lint', () => {
  const refused: readonly [path: string, text: string][] = [
    ['cli/customer/sample.ts', "process.stdout.write('x');\n"],
    ['cli/terminal/sample.ts', "process.stderr.write('x');\n"],
    ['cli/vendor/sample.ts', "console.log('x');\n"],
    ['agent/session/sample.ts', "process.stdout.write('x');\n"],
    ['agent/node/sample.ts', "process.stderr.write('x');\n"],
    ['controller/store/home.ts', "process.stderr.write('x');\n"],
    ['relay/server.ts', "console.error('x');\n"],
    ['relay/core/sample.ts', "console.error('x');\n"],
  ];

  it('refuses every other way to a terminal', async () => {
    const eslint = new ESLint();
    const found = await Promise.all(refused.map(([filePath, text]) => eslint.lintText(text, { filePath })));
    for (const [index, [result]] of found.entries()) {
      const rules = result!.messages.map(({ ruleId }) => ruleId);
      assert.match(rules.join(' '), /no-restricted-properties|no-console/, refused[index]![0]);
    }
    const [writer] = await eslint.lintText("process.stdout.write('x');\n", { filePath: 'cli/terminal/output.ts' });
    assert.deepEqual(writer!.messages, []);
  }).timeout(60_000);
});
