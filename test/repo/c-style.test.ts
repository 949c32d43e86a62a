// Habits of the C in firmware/, and of the Python of the tests, that no compiler or linter looks after.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const COLUMNS = 100;
const LINES = 400;
/** Numbers of the protocol that no program on the chip gives yet. */
const RESERVED = ['KEY_KIND_DEVICE'];
const firmware = resolve(import.meta.dirname, '../../firmware');
const FOLDERS = ['common', 'port', 'ram-stub', 'loader', 'pc'];

/** Every source file of firmware/, with its lines. */
const files = FOLDERS.flatMap((folder) =>
  readdirSync(resolve(firmware, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(c|h|S|ld)$/.test(name))
    .map((name) => ({
      name: `${folder}/${name}`,
      lines: readFileSync(resolve(firmware, folder, name), 'utf8').split('\n'),
    })),
);

/** Lines that break a rule, as FILE:LINE. */
const offenders = (within: RegExp, breaks: (line: string) => boolean): string[] =>
  files
    .filter(({ name }) => within.test(name))
    .flatMap(({ name, lines }) => lines.flatMap((line, index) => (breaks(line) ? [`${name}:${index + 1}`] : [])));

/** Python of this repository, with its lines. */
const python = readdirSync(resolve(import.meta.dirname, '..'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.py'))
  .map((name) => ({ name, lines: readFileSync(resolve(import.meta.dirname, '..', name), 'utf8').split('\n') }));

describe('repository: the Python of test/', () => {
  it('has no file of more than 400 lines', () => {
    assert.ok(python.length > 20, 'the sources are found');
    assert.deepEqual(
      python.filter(({ lines }) => lines.length > LINES + 1).map(({ name }) => name),
      [],
    );
  });
});

describe('repository: the C of firmware/', () => {
  it('has no line of more than 100 columns', () => {
    assert.ok(files.length > 50, 'the sources are found');
    assert.deepEqual(
      offenders(/./, (line) => line.length > COLUMNS),
      [],
    );
  });

  it('has no file of more than 400 lines', () => {
    const long = files.filter(({ lines }) => lines.length > LINES).map(({ name }) => name);
    assert.deepEqual(long, []);
  });

  it('common/ and port/ include nothing of the mailbox or the RAM stub', () => {
    const own = new Set(files.filter(({ name }) => name.startsWith('ram-stub/')).map(({ name }) => name.slice(9)));
    const includes = (line: string) => /^#include "(.*)"/.exec(line)?.[1] ?? '';
    assert.ok(own.has('mailbox.h'));
    assert.deepEqual(
      offenders(/^(common|port)\//, (line) => own.has(includes(line))),
      [],
    );
  });

  it('names every constant of the generated headers', () => {
    const generated = ['common/protocol.h', 'ram-stub/mailbox.h'];
    const linesOf = (within: boolean) => files.filter(({ name }) => generated.includes(name) === within);
    const defined = linesOf(true).flatMap(({ lines }) =>
      lines.flatMap((line) => /^#define ([A-Z]\w*) /.exec(line)?.[1] ?? []),
    );
    const used = new Set(linesOf(false).flatMap(({ lines }) => lines.join('\n').match(/\w+/g)));
    assert.ok(defined.length > 100, 'the constants are found');
    assert.deepEqual(
      defined.filter((name) => !used.has(name) && !RESERVED.includes(name)),
      [],
    );
  });

  it('counts and shows what goes on at once', () => {
    assert.deepEqual(
      offenders(/\.c$/, (line) => /transport_show_activity\(|tick_activity =/.test(line)).map(
        (place) => place.split(':')[0],
      ),
      ['common/activity.c', 'common/activity.c', 'ram-stub/mailbox_transport.c', 'loader/installer/serial_transport.c'],
    );
  });

  it('sets the state of a session in session.c alone', () => {
    assert.deepEqual(
      offenders(/\.c$/, (line) => /transport_show_state\(/.test(line)).map((place) => place.split(':')[0]),
      [
        'common/session.c',
        'ram-stub/mailbox_transport.c',
        'loader/installer/serial_transport.c',
        'loader/installer/session.c',
      ],
    );
  });
});
