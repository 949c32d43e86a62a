// Questions at a terminal and through a pipe: who may answer, and that nothing typed before a question answers it.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { askInvite } from '../../../cli/terminal/ask-invite.ts';
import { createPrompt, type Prompt } from '../../../cli/terminal/prompt.ts';
import { exchangePublic, psk } from '../../../shared/crypto/keys.ts';
import { isBlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import { encodeInvite } from '../../../shared/tunnel/invite.ts';
import { ManualClock, settle } from '../../fixtures/manual-clock.ts';
import { ScriptedTerminal } from './scripted-terminal.ts';

const coded = (code: ErrorCode) => (error: unknown) => isBlindflashError(error, code);
const INVITE = encodeInvite({
  expires: 2_000_000_000,
  tunnelPublic: exchangePublic('tunnel', new Uint8Array(32).fill(7)),
  vendor: new Uint8Array(32).fill(5),
  relayUrl: 'wss://relay.example.com',
  ticket: new Uint8Array(170).fill(3),
  secret: psk(new Uint8Array(32).fill(9)),
});

/** A prompt at a terminal whose keys and clock the test has in hand. */
function promptFixture() {
  const terminal = new ScriptedTerminal();
  const clock = new ManualClock();
  const interrupts: number[] = [];
  const prompt = createPrompt({
    input: terminal as unknown as NodeJS.ReadStream,
    output: terminal.screen,
    clock,
    interrupt: () => void interrupts.push(clock.now()),
  });
  return { terminal, clock, prompt, interrupts };
}

/** Whether a promise has come to its end. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(
    () => (done = true),
    () => (done = true),
  );
  await settle();
  return done;
}

const DECIDING: readonly [name: string, ask: (prompt: Prompt) => Promise<unknown>, answer: string, meant: unknown][] = [
  ['a yes or no', (prompt) => prompt.confirm('Go on?'), 'y', true],
  ['the word of a consent', (prompt) => prompt.askWord('Type 3fa9 to agree: ', '3fa9'), '3fa9', true],
  ['a code', (prompt) => prompt.askFresh('Code? '), 'ABC-DEF', 'ABC-DEF'],
];

for (const [name, ask, answer, meant] of DECIDING) {
  describe(`a question for ${name} at a terminal`, () => {
    it('is not answered by lines that were typed before it', async () => {
      const { terminal, clock, prompt } = promptFixture();
      terminal.press(`${answer}\n${answer}\n`);
      const asked = ask(prompt);
      await clock.advance(10_000);
      assert.equal(await isSettled(asked), false);
      terminal.press(`${answer}\n`);
      assert.equal(await asked, meant);
    });

    it('is not answered by what stood behind an earlier answer', async () => {
      const { terminal, clock, prompt } = promptFixture();
      terminal.press(`${INVITE}\n${answer}\n${answer}\n`);
      assert.equal(await askInvite(prompt, 'Invite: '), INVITE);
      const asked = ask(prompt);
      await clock.advance(10_000);
      assert.equal(await isSettled(asked), false);
      terminal.press(`${answer}\n`);
      assert.equal(await asked, meant);
    });

    it('is not answered in its first half second', async () => {
      const { terminal, clock, prompt } = promptFixture();
      const asked = ask(prompt);
      await clock.advance(499);
      terminal.press(`${answer}\n`);
      await clock.advance(10_000);
      assert.equal(await isSettled(asked), false);
      terminal.press(`${answer}\n`);
      assert.equal(await asked, meant);
    });

    it('is not answered by the end of a line that was begun before it', async () => {
      const { terminal, clock, prompt } = promptFixture();
      terminal.press(answer);
      const asked = ask(prompt);
      await settle();
      await clock.advance(500);
      terminal.press('\n');
      await settle();
      await clock.advance(500);
      if (name === 'a code') return assert.equal(await asked, '', 'an empty line is what was typed then');
      assert.equal(await isSettled(asked), false);
      terminal.press(`${answer}\n`);
      assert.equal(await asked, meant);
    });

    it('leaves the terminal as it was', async () => {
      const { terminal, clock, prompt } = promptFixture();
      const asked = ask(prompt);
      await settle();
      assert.deepEqual(terminal.modes, ['raw']);
      await clock.advance(500);
      assert.deepEqual(terminal.modes, ['raw', 'cooked']);
      terminal.press(`${answer}\n`);
      await asked;
    });

    it('lets Ctrl-C out in its first half second', async () => {
      const { terminal, clock, prompt, interrupts } = promptFixture();
      void ask(prompt);
      await clock.advance(100);
      terminal.press('\x03');
      await settle();
      assert.deepEqual(interrupts, [100]);
    });
  });
}

describe('the word of a consent', () => {
  it('is exactly that word, in any case; yes is none', async () => {
    const { terminal, clock, prompt } = promptFixture();
    const asked = prompt.askWord('Type 3fa9: ', '3fa9');
    for (const wrong of ['y', 'yes', '3fa', '3fa90', '']) {
      await clock.advance(500);
      terminal.press(`${wrong}\n`);
      assert.equal(await isSettled(asked), false, wrong);
    }
    await clock.advance(500);
    terminal.press(' 3FA9 \n');
    assert.equal(await asked, true);
    assert.match(terminal.shown, /Type 3fa9 to agree, or no\./);
  });

  it('is refused with no', async () => {
    const { terminal, clock, prompt } = promptFixture();
    const asked = prompt.askWord('Type 3fa9: ', '3fa9');
    await clock.advance(500);
    terminal.press('no\n');
    assert.equal(await asked, false);
  });
});

describe('a question that becomes void', () => {
  it('ends without an answer, and what is typed then answers the next one', async () => {
    const { terminal, clock, prompt } = promptFixture();
    const first = new AbortController();
    const voided = prompt.askFresh('First? ', first.signal);
    await clock.advance(700);
    first.abort();
    assert.equal(await voided, undefined);
    const asked = prompt.askFresh('Second? ');
    await clock.advance(500);
    terminal.press('ABC\n');
    assert.equal(await asked, 'ABC');
  });

  it('keeps its half second from ending the one of the next', async () => {
    const { terminal, clock, prompt } = promptFixture();
    const first = new AbortController();
    const voided = prompt.askFresh('First? ', first.signal);
    await clock.advance(300);
    first.abort();
    const asked = prompt.askFresh('Second? ');
    await clock.advance(300);
    terminal.press('early\n');
    await clock.advance(200);
    terminal.press('late\n');
    assert.equal(await voided, undefined);
    assert.equal(await asked, 'late');
    assert.equal(terminal.raw, false);
  });
});

describe('lines that come while a question is open', () => {
  const lines = (terminal: ScriptedTerminal) => (): void => void terminal.screen.write('a line\n');

  it('are followed by the question once more', async () => {
    const { terminal, clock, prompt } = promptFixture();
    const asked = prompt.askFresh('Code? ');
    await clock.advance(600);
    for (let i = 0; i < 40; i++) prompt.beside(lines(terminal));
    assert.ok(terminal.shown.endsWith('Code? \na line\nCode? '), 'it stands in the last row');
    terminal.press('ABC\n');
    assert.equal(await asked, 'ABC');
  });

  it('are not, once it is answered or void', async () => {
    const { terminal, clock, prompt } = promptFixture();
    prompt.beside(lines(terminal));
    const answered = prompt.askFresh('First? ');
    await clock.advance(600);
    terminal.press('x\n');
    await answered;
    prompt.beside(lines(terminal));
    assert.ok(terminal.shown.endsWith('a line\n'));
    const voided = new AbortController();
    const open = prompt.askFresh('Second? ', voided.signal);
    voided.abort();
    prompt.beside(lines(terminal));
    prompt.beside(lines(terminal));
    assert.ok(terminal.shown.endsWith('Second? \na line\na line\n'));
    await clock.advance(600);
    assert.equal(await open, undefined);
  });

  it('do not bring back a void question over the one in its place', async () => {
    const { terminal, clock, prompt } = promptFixture();
    const first = new AbortController();
    void prompt.askFresh('First? ', first.signal);
    await clock.advance(300);
    first.abort();
    const second = prompt.askFresh('Second? ');
    await clock.advance(600);
    prompt.beside(lines(terminal));
    assert.ok(terminal.shown.endsWith('a line\nSecond? '));
    terminal.press('x\n');
    await second;
  });
});

describe('a terminal that is left', () => {
  it('has nothing for the shell: neither lines nor the beginning of one', async () => {
    const { terminal, clock, prompt } = promptFixture();
    terminal.press(`${INVITE}\nrm -rf everything\nhalf a li`);
    assert.equal(await askInvite(prompt, 'Invite: '), INVITE);
    const left = prompt.close();
    await settle();
    await clock.advance(50);
    terminal.press('ne\n');
    await settle();
    await clock.advance(50);
    await left;
    assert.equal(terminal.left, '');
    assert.equal(terminal.raw, false);
  });

  it('keeps what was typed ahead for the shell when nothing was asked', async () => {
    const { terminal, prompt } = promptFixture();
    terminal.press('ls\n');
    await prompt.close();
    assert.equal(terminal.left, 'ls\n');
  });
});

describe('questions through a pipe', () => {
  const pipe = (input: string, program = true) => {
    const typed = new PassThrough();
    typed.end(input);
    let shown = '';
    const output = { write: (text: string): void => void (shown += text) };
    return { prompt: createPrompt({ input: typed, output, program }), shown: () => shown };
  };

  it('take a line each and leave the rest for the next', async () => {
    const { prompt, shown } = pipe('  bf2.abc \r\nsecond\nlast');
    assert.equal(await prompt.ask('Invite: '), 'bf2.abc');
    assert.equal(await prompt.askHidden('Passphrase: '), 'second');
    assert.equal(await prompt.ask('More: '), 'last');
    await assert.rejects(prompt.ask('And: '), coded('BF-USAGE-NOT-INTERACTIVE'));
    assert.ok(!shown().includes('second'));
    assert.equal(prompt.interactive, false);
  });

  it('that decide are for programs only', async () => {
    for (const [name, ask, answer] of DECIDING) {
      await assert.rejects(ask(pipe(`${answer}\n`, false).prompt), coded('BF-USAGE-NOT-INTERACTIVE'), name);
    }
  });

  it('that decide are not answered by what came in one piece with an earlier answer', async () => {
    for (const [name, ask, answer] of DECIDING) {
      const { prompt } = pipe(`${INVITE}\n${answer}\n`);
      assert.equal(await askInvite(prompt, ''), INVITE);
      await assert.rejects(ask(prompt), coded('BF-USAGE-NOT-INTERACTIVE'), name);
    }
  });

  it('take only a clear yes for a yes', async () => {
    const answers: readonly [string, boolean | undefined, boolean][] = [
      ['y\n', undefined, true],
      ['YES\n', false, true],
      ['n\n', true, false],
      ['\n', true, true],
      ['\n', false, false],
      ['maybe\n', true, false],
    ];
    for (const [typed, preset, meant] of answers) {
      assert.equal(await pipe(typed).prompt.confirm('Go on?', preset), meant, JSON.stringify(typed));
    }
    assert.equal(await pipe('3fa9\n').prompt.askWord('Word? ', '3fa9'), true);
    assert.equal(await pipe('3fa8\n3fa9\n').prompt.askWord('Word? ', '3fa9'), false);
  });

  it('take an invite that was cut into lines, and leave what follows it', async () => {
    const cut = INVITE.replace(/.{76}/g, '$&\r\n');
    const { prompt } = pipe(`${cut}\nnext\n`);
    assert.equal(await askInvite(prompt, 'Invite: '), INVITE);
    assert.equal(await prompt.ask('More: '), 'next');
    assert.equal(await askInvite(pipe(`${INVITE.slice(0, 90)}\n\nyes\n`).prompt, ''), INVITE.slice(0, 90));
    assert.equal(await askInvite(pipe(INVITE.slice(0, 90)).prompt, ''), INVITE.slice(0, 90));
    assert.equal(await askInvite(pipe('nonsense\nyes\n').prompt, ''), 'nonsense');
  });
});

describe('a passphrase at a terminal', () => {
  it('is hidden, can be corrected, and lets Ctrl-C out', async () => {
    const { terminal, prompt } = promptFixture();
    const asked = prompt.askHidden('Passphrase: ');
    terminal.press('secrex\x7ft word\r');
    assert.equal(await asked, 'secret word');
    assert.deepEqual(terminal.modes, ['raw', 'cooked']);
    assert.equal(terminal.shown, 'Passphrase: \n');
    const again = prompt.askHidden('Passphrase: ');
    terminal.press('half\x03');
    await assert.rejects(again, coded('BF-JOB-INTERRUPTED'));
    assert.deepEqual(terminal.modes, ['raw', 'cooked', 'raw', 'cooked']);
  });
});
