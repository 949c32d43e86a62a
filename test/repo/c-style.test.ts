// Habits of the C in firmware/ that no compiler looks after.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const COLUMNS = 100;
const LINES = 400;
const firmware = resolve(import.meta.dirname, '../../firmware');
const FOLDERS = ['common', 'port', 'ram-stub', 'pc'];

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

  it('sets the state of a session in session.c alone', () => {
    assert.deepEqual(
      offenders(/\.c$/, (line) => /transport_show_state\(/.test(line)).map((place) => place.split(':')[0]),
      ['common/session.c', 'ram-stub/mailbox_transport.c'],
    );
  });
});
