// `inspect`: what is said of an update file, and what is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { factsOf, inspectFile, linesOf } from '../../../cli/customer/inspect.ts';
import { JSON_EVENTS } from '../../../cli/json-events.ts';
import { asciiJson } from '../../../shared/codec/foreign-text.ts';
import { sealFor, TestDevice, updateContent, updateImage } from '../../fixtures/update-files.ts';

const DEVICES = [1, 2, 3].map((number) => new TestDevice(number));

describe('inspect', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bf-inspect-'));
  const path = join(folder, 'file.bfu');
  after(() => rmSync(folder, { recursive: true }));

  const lines = async (file: Uint8Array) => {
    writeFileSync(path, file);
    return linesOf(await inspectFile(path));
  };

  it('says product, version, floor, chip, sizes and places, and that nothing of it is proven', async () => {
    const said = (await lines(sealFor(DEVICES, updateContent(updateImage(1, 70_000))))).join('\n');
    for (const words of [
      /^product {3}7$/m,
      /^version {3}5$/m,
      /nothing below version 3 is taken; between 3 and 5 an older file may go back$/m,
      /^chip {6}STM32F42x\/F43x with 2048 KiB of flash$/m,
      /^image {5}70000 bytes, sectors 4 5$/m,
      /at most 4; how many of the places are taken does not show/,
      /only a device can tell/,
    ]) {
      assert.match(said, words);
    }
  });

  it('says of a floor that is the version that nothing goes back', async () => {
    const release = { product: 1, version: 5, floor: 5 };
    const said = await lines(sealFor(DEVICES, updateContent(updateImage(1, 4000), { release })));
    assert.doesNotMatch(said.join('\n'), /may go back/);
  });

  it('cleans what the file calls itself, for people and for programs', async () => {
    const label = '\u001b[2J\u202eevil”';
    writeFileSync(path, sealFor(DEVICES, updateContent(updateImage(1, 4000), { label })));
    const inspected = await inspectFile(path);
    assert.match(linesOf(inspected).join('\n'), /^label {5}“·\[2J·evil’”$/m);
    const facts: unknown = JSON.parse(asciiJson(factsOf(inspected)));
    assert.equal(JSON_EVENTS.inspect.events['update-file'].fields.safeParse(facts).error, undefined);
  });

  it('refuses what is no whole update file, and what is no file', async () => {
    const file = sealFor(DEVICES, updateContent(updateImage(1, 4000)));
    await assert.rejects(lines(file.subarray(0, file.length - 1)), { code: 'BF-UPDATE-MALFORMED' });
    await assert.rejects(lines(new Uint8Array(0)), { code: 'BF-UPDATE-MALFORMED' });
    await assert.rejects(lines(file.with(6, 9) as Uint8Array), { code: 'BF-UPDATE-VERSION' });
    await assert.rejects(inspectFile(folder), { code: 'BF-USAGE-FILE' });
    await assert.rejects(inspectFile(join(folder, 'missing')), { code: 'BF-USAGE-FILE' });
  });
});
