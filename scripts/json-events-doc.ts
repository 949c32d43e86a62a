// Writes docs/json-events.md from cli/json-events.ts: `node --import=tsx scripts/json-events-doc.ts`.
// A test compares the two.
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { JSON_EVENTS, type JsonEventRow, type JsonSpeaker } from '../cli/json-events.ts';
import { isStarted, wrap } from './generated-text.ts';

/** The part of JSON Schema that our events use. */
interface Schema {
  /** What a value means, where the type does not say it. */
  readonly doc?: string;
  /** Name under which the type is explained once, below "Shapes". */
  readonly shape?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

const INTRO = `# What \`--json\` prints

With \`--json\` a command prints one JSON object a line on standard output, and nothing else there. \`event\` names what
happened; the other fields depend on it and on the command. A field that is marked optional is absent when there is
nothing to say.

Lines are printable ASCII: everything above 7E is written as \\u escapes. What somebody else wrote (HELLO, PROBLEM, labels,
reasons) is cleaned: without control characters, bidirectional controls and line separators, at most 300 characters. The
expected code is in no event of the vendor before it was typed right.

Questions, such as the passphrase, still go to standard error. A program answers with one line of standard input, after it
has read the event that the question belongs to: \`code\` of the vendor's commands (the code the customer reads out), \`sheet\` of
\`agent\` (its \`word\`, or no). What came in one piece with an earlier answer is thrown away. Without \`--json\` questions that
decide are answered at a terminal only, by what is typed after them; the agent's \`--yes\` answers beforehand.

Later versions may add events and fields: a program should pass over what it does not know. Names, types and
meanings of those below stay.

This file is written from \`cli/json-events.ts\` by \`scripts/json-events-doc.ts\`; the tests hold the output of real
commands against the same table.`;

/** The whole document. */
export function jsonEventsDocument(): string {
  const shapes = new Map<string, Schema>();
  const sections = Object.values<JsonSpeaker>(JSON_EVENTS).map((speaker) => section(speaker, shapes));
  const intro = INTRO.split('\n\n').map((part) => wrap(part));
  return `${[...intro, ...sections, '## Shapes', ...shapeTexts(shapes)].join('\n\n')}\n`;
}

function section({ commands, events }: JsonSpeaker, shapes: Map<string, Schema>): string {
  const title = commands.map((command) => (command === 'any command' ? 'Any command' : `\`${command}\``)).join(', ');
  return [`## ${title}`, ...Object.entries(events).map(([name, row]) => eventText(name, row, shapes))].join('\n\n');
}

function eventText(name: string, { when, fields }: JsonEventRow, shapes: Map<string, Schema>): string {
  const rows = fieldLines(z.toJSONSchema(fields, { io: 'input' }) as Schema, shapes);
  return [wrap(`**\`${name}\`**: ${when}.`), ...(rows === '' ? [] : [rows])].join('\n\n');
}

/** The shapes met so far and those met while they are explained. */
function shapeTexts(shapes: Map<string, Schema>): string[] {
  const texts: string[] = [];
  for (const [name, schema] of shapes) {
    const isList = schema.properties !== undefined;
    texts.push(isList ? `**${name}**: an object` : wrap(`**${name}**: ${unnamedTypeText(schema, shapes)}`));
    if (isList) texts.push(fieldLines(schema, shapes));
  }
  return texts;
}

function fieldLines({ properties = {}, required = [] }: Schema, shapes: Map<string, Schema>): string {
  return Object.entries(properties)
    .map(([name, schema]) => {
      const optional = required.includes(name) ? '' : ' (optional)';
      return wrap(`- \`${name}\`${optional}: ${typeText(schema, shapes)}`, '  ');
    })
    .join('\n');
}

/** A type in words; a named shape is only named, and explained later. */
function typeText(schema: Schema, shapes: Map<string, Schema>): string {
  if (schema.shape !== undefined) {
    shapes.set(schema.shape, schema);
    return `_${schema.shape}_`;
  }
  const words = unnamedTypeText(schema, shapes);
  return schema.doc === undefined ? words : `${words}, ${schema.doc}`;
}

function unnamedTypeText(schema: Schema, shapes: Map<string, Schema>): string {
  const { anyOf, items, properties, required = [] } = schema;
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(' or ');
  if (anyOf !== undefined) return anyOf.map((part) => typeText(part, shapes)).join(' or ');
  if (items !== undefined) return `list of ${typeText(items, shapes)}`;
  if (properties === undefined) return plainTypeText(schema);
  const parts = Object.entries(properties).map(
    ([name, part]) => `\`${name}\`${required.includes(name) ? '' : ' (optional)'} ${typeText(part, shapes)}`,
  );
  return `object with ${parts.join('; ')}`;
}

function plainTypeText({ type = 'anything', pattern, doc }: Schema): string {
  if (type === 'integer') return 'whole number';
  const digits = /^\^\[0-9a-f\]\{(\d+)\}\$$/.exec(pattern ?? '')?.[1];
  if (digits !== undefined) return `string of ${digits} hexadecimal digits`;
  if (pattern !== undefined && doc === undefined) return `string like \`${pattern}\``;
  return [type].flat().join(' or ');
}

if (isStarted(import.meta.url)) {
  writeFileSync(new URL('../docs/json-events.md', import.meta.url), jsonEventsDocument());
}
