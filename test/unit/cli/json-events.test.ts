// The table of what programs read (cli/json-events.ts): its document says the same, no speaker uses a name twice, and
// it declares every field of what a whole job tells.
import assert from 'node:assert/strict';
import { JSON_EVENTS, type JsonSpeaker } from '../../../cli/json-events.ts';
import { asRecord } from '../../../cli/vendor/job-view.ts';
import { compileFlash } from '../../../controller/plan/compile.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { asciiJson } from '../../../shared/codec/foreign-text.ts';
import { readDocument } from '../../../scripts/generated-text.ts';
import { jsonEventsDocument } from '../../../scripts/json-events-doc.ts';
import { JOB, JobFixture, sampleImage } from '../controller/job-fixture.ts';

describe('events for programs', () => {
  it('are described in docs/json-events.md as scripts/json-events-doc.ts writes it', () => {
    const remedy = 'run: node --import=tsx scripts/json-events-doc.ts';
    assert.equal(readDocument('docs/json-events.md'), jsonEventsDocument(), remedy);
  });

  it('leave the field `event` to the name of the event', () => {
    for (const { events } of Object.values<JsonSpeaker>(JSON_EVENTS)) {
      for (const [name, { fields }] of Object.entries(events)) assert.ok(!('event' in fields.shape), name);
    }
  });

  it('belong to one declaration a command', () => {
    const commands = Object.values<JsonSpeaker>(JSON_EVENTS).flatMap(({ commands }) => commands);
    assert.equal(new Set(commands).size, commands.length);
  });

  it('declare every field of what a whole job tells', async () => {
    const image = sampleImage();
    const plan = compileFlash(image, STM32F42X, { job: JOB, lock: 'level 1' });
    const fixture = new JobFixture({ image, plan });
    await fixture.finish();
    const rows: JsonSpeaker['events'] = JSON_EVENTS.job.events;
    for (const event of fixture.events) {
      const { event: name, ...fields } = JSON.parse(asciiJson(asRecord(event))) as Record<string, unknown>;
      assert.equal(rows[String(name)]?.fields.safeParse(fields).error, undefined, String(name));
    }
    const told = new Set<string>(fixture.events.map(({ type }) => type));
    for (const name of ['job', 'hello', 'erased', 'receipt', 'locked']) assert.ok(told.has(name), name);
  });
});
