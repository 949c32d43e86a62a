// The table of what programs read (cli/json-events.ts): its document says the same, and no speaker uses a name twice.
import assert from 'node:assert/strict';
import { JSON_EVENTS, type JsonSpeaker } from '../../../cli/json-events.ts';
import { readDocument } from '../../../scripts/generated-text.ts';
import { jsonEventsDocument } from '../../../scripts/json-events-doc.ts';

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
});
