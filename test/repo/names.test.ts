// Names that were given up for the field's own words (docs/glossary.md) do not come back, in identifiers or in names of
// files.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Retired identifier → what it is called. Only words that mean nothing else in this repository. */
const IDENTIFIERS: Readonly<Record<string, string>> = {
  Stretch: 'AddressRange',
  Agreement: 'Authorization',
  Answerer: 'TunnelResponder',
  boardWords: 'boardState',
  Bench: 'ProductFixture, BoardFixture, FirmwareFixture',
  Conversation: 'AgentChannel, TunnelEventQueue',
  Desk: 'JobService, VendorTerminal; TargetSession',
  DeviceApproval: 'ChipKeyApproval',
  expel: 'evict',
  Guest: 'AdmittedLink',
  House: 'ProductFixture, BoardFixture, FirmwareFixture',
  Keeper: 'JobRecorder',
  Mail: 'Inbox',
  Opener: 'TunnelInitiator',
  parseAgreed: 'parsePriorConsent',
  Parting: 'JobClosing, FinalState',
  Patience: 'Timeouts',
  patiently: 'withRetry',
  Scene: 'ProductFixture, BoardFixture, FirmwareFixture',
  Sealing: 'SealedSessionManager',
  roomHash: 'inviteHashOf',
  SealedLink: 'SealedSession',
  Seat: 'Participant',
  Stay: 'Membership',
  StubRegistry: 'KnownStubs',
  THE_PLAN: 'job_plan()',
  Waiting: 'WaitQueue',
  wantAgain: 'NAK',
  Way: 'Transport',
  Wish: 'JobRequest',
  World: 'ProductFixture, BoardFixture, FirmwareFixture',
};
/** Retired part of a path → where it went. */
const PATHS: Readonly<Record<string, string>> = {
  'shared/protocol/': 'shared/link/',
  'test/house/': 'test/repo/',
  'test/strangers/': 'test/interop/',
  'board-words': 'board-state',
  'relay/core/entry': 'relay/core/arrival.ts',
  'store/sealed-file': 'store/sealed-text.ts',
  '/desk.ts': 'the service, the terminal or the session that is meant',
  '/scene': 'a fixture',
  '-scene.ts': 'a fixture',
  'want-again': 'nak',
};

const FILES = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)));
const CODE = FILES.filter((path) => /\.(ts|mjs|c|h|S|py)$/.test(path) && !path.endsWith('repo/names.test.ts'));

/** The words of code, without its comments and strings. */
function identifiers(path: string): Set<string> {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)(\/\/|#(?= )).*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, '');
  return new Set(code.match(/[A-Za-z_]\w*/g));
}

describe('repository: names that were given up', () => {
  it('are no identifiers any more', () => {
    assert.ok(CODE.length > 300, 'the sources are found');
    const back = CODE.flatMap((path) => {
      const words = identifiers(path);
      return Object.entries(IDENTIFIERS)
        .filter(([word]) => words.has(word))
        .map(([word, now]) => `${path}: ${word} is called ${now}`);
    });
    assert.deepEqual(back, []);
  });

  it('name no file or folder any more', () => {
    const back = FILES.flatMap((path) =>
      Object.entries(PATHS)
        .filter(([part]) => path.includes(part))
        .map(([part, now]) => `${path}: ${part} is ${now}`),
    );
    assert.deepEqual(back, []);
  });
});
