// One place for each addition (docs/architecture.md): the table of places names what exists, and names stand where it
// says. What the compiler makes of an addition: test/types/additions.test.ts.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { DRIVERS } from '../../agent/probe/drivers.ts';
import { ERRORS } from '../../shared/errors/catalogue.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { MODES } from '../../shared/plan/modes.ts';
import { ADDITIONS, read, ROOT, SOURCES, TABLE } from './places.ts';

const places = (pattern: RegExp): string[] => SOURCES.filter((path) => pattern.test(read(path)));
const escaped = (name: string): string => name.replace(/[-.]/g, '\\$&');

describe('one place for each addition: the table of places', () => {
  it('names paths that exist', () => {
    assert.ok(TABLE.size >= 9);
    for (const [what, paths] of TABLE) {
      assert.ok(paths.length > 0, what);
      for (const path of paths) assert.ok(existsSync(join(ROOT, path)), `${what}: ${path}`);
    }
  });
});

describe('one place for each addition: a row more', () => {
  it('goes where the table of places says', () => {
    for (const [what, { table, misses }] of Object.entries(ADDITIONS)) {
      for (const path of [table, ...misses]) assert.ok(TABLE.get(what)?.includes(path), `${what}: ${path}`);
    }
  });
});

/** Where the name of a kind or a mode is written out beside its table, and why. */
const NAMED_ELSEWHERE: Readonly<Record<string, string>> = {
  'controller/plan/compile.ts': 'what the plan of each kind is made of',
  'cli/vendor/commands.ts': 'the command that asks for it',
  'cli/vendor/enroll.ts': 'the command that asks for it',
  'cli/vendor/device-job-commands.ts': 'the commands that ask for it',
  'cli/vendor/erase.ts': 'the command that asks for it',
  'cli/vendor/flash.ts': 'the command that asks for it',
  'cli/vendor/keys.ts': 'the command that asks for it',
  'cli/vendor/option-bytes.ts': 'the commands that ask for it',
  'cli/vendor/info-reset.ts': 'the commands that ask for it',
  'cli/vendor/plant.ts': 'the command that asks for two of them',
  'cli/vendor/plan.ts': 'the command that shows the plan of one kind',
  'cli/vendor/verify.ts': 'the command that asks for it',
  'cli/demo/demo.ts': 'the command lines it runs',
  'cli/demo/protected.ts': 'the command lines it runs',
  'cli/demo/seeded.ts': 'the command lines it runs',
  'shared/registry/states.ts': 'where a device was enrolled decides the mode a job may claim',
  'shared/update/update-plan.ts': 'the modes an update file may have, and the kind its plan is of',
};
/**
 * The same words meaning something else: levels of the log, states of a socket or of a tunnel, commands of a probe,
 * what a receipt tells of the erase, the memory a chip starts from, the state of a demo's chip, the suite of a
 * handshake, keys of a file, of an object or of the part of that name.
 */
const OTHER_WORDS = [
  ...['agent/session/tunnel-event-queue.ts', 'cli/demo/tap.ts', 'cli/relay/relay.ts', 'shared/tunnel/tunnel.ts'],
  ...['shared/platform/node/logger.ts', 'shared/platform/node/dial-relay.ts', 'shared/plan/modes.ts'],
  ...['agent/probe/stlink/webusb-transport.ts', 'controller/job/erasures.ts', 'controller/job/receipts.ts'],
  ...['cli/vendor/receipt.ts', 'shared/sealed/messages.ts', 'shared/sealed/protocol.ts', 'shared/crypto/labels.ts'],
  ...['scripts/device-header.ts', 'agent/target/loader-target.ts', 'agent/target/target.ts'],
  ...['agent/target/loader-doctor.ts', 'cli/vendor/keygen.ts', 'shared/errors/catalogue.ts', 'shared/plan/plan.ts'],
  ...['cli/demo/commands.ts', 'agent/target/stub-loader.ts', 'agent/target/target-session.ts'],
];

describe('one place for each addition: names', () => {
  const names = [...Object.keys(KINDS), ...Object.keys(MODES)];

  it('of kinds and modes are written out only in their tables and where something of their own is done', () => {
    const written = places(new RegExp(`'(${names.map(escaped).join('|')})'`));
    const home = ['shared/plan/kinds.ts', 'shared/plan/modes.ts'];
    const elsewhere = written.filter((path) => !home.includes(path) && !OTHER_WORDS.includes(path));
    assert.deepEqual(elsewhere.sort(), Object.keys(NAMED_ELSEWHERE).sort());
  });

  it('of errors are declared once, in the catalogue', () => {
    const declared = (code: string): string[] => places(new RegExp(`^ {2}'${escaped(code)}': \\{`, 'm'));
    for (const code of Object.keys(ERRORS)) assert.deepEqual(declared(code), ['shared/errors/catalogue.ts'], code);
  });

  it('no code decides by a set or a pattern of error codes what a column of the catalogue says', () => {
    const allowed = ['cli/json-events.ts', 'shared/tunnel/bodies.ts'];
    const found = places(/Set<(ErrorCode|PartName)>|readonly ErrorCode\[\] = |\/\^BF-|startsWith\('BF-/);
    assert.deepEqual(found.sort(), allowed);
  });
});

describe('one place for each addition: ports', () => {
  it('a probe driver is declared in a folder of its own and listed once', () => {
    const declaring = places(/^export const \w+: ProbeDriver = /m);
    const count = declaring.flatMap((path) => read(path).match(/^export const \w+: ProbeDriver = /gm) ?? []).length;
    assert.equal(count, DRIVERS.length);
    for (const path of declaring) {
      assert.match(path, /^agent\/probe\/\w+\//);
      const module = path.slice('agent/probe/'.length);
      const using = SOURCES.filter((other) => new RegExp(`from '.*${escaped(module)}'`).test(read(other)));
      assert.deepEqual(using, ['agent/probe/drivers.ts'], path);
    }
  });

  it('an implementation of a relay port is chosen in one place, apart from the one that stands for none', () => {
    for (const folder of ['relay/neighbours', 'relay/control']) {
      const port = `${folder}/${folder.split('/')[1]}.ts`;
      const others = SOURCES.filter(
        (path) => path.startsWith(`${folder}/`) && path !== port && !path.endsWith('/none.ts'),
      );
      for (const path of others) {
        const module = path.slice('relay/'.length);
        const using = SOURCES.filter((other) => new RegExp(`from '.*${escaped(module)}'`).test(read(other)));
        assert.deepEqual(using, ['cli/relay/relay.ts'], path);
      }
    }
  });
});
