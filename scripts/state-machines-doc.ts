// Writes the tables of docs/state-machines.md whose machines are declared in code:
// `node --import=tsx scripts/state-machines-doc.ts`. A test compares them.
import { writeFileSync } from 'node:fs';
import { OPTION_WORK } from '../agent/session/option-work.ts';
import { ARRIVAL_MACHINE } from '../relay/core/arrival.ts';
import { ROOM_CLIENT_MACHINE } from '../shared/link/room-client.ts';
import { isStarted, readDocument, table, withPart } from './generated-text.ts';

type Machine = Readonly<Record<string, Readonly<Record<string, string>>>>;

const MACHINES: Readonly<Record<string, Machine>> = {
  'room client machine': ROOM_CLIENT_MACHINE as Machine,
  'arrival machine': ARRIVAL_MACHINE as Machine,
  'option work': OPTION_WORK,
};

/** The document with its tables. */
export function withMachines(document: string): string {
  return Object.entries(MACHINES).reduce((text, [name, machine]) => withPart(text, name, rows(machine)), document);
}

function rows(machine: Machine): string {
  const transitions = Object.entries(machine).flatMap(([state, next]) =>
    Object.entries(next).map(([event, to]) => [`\`${state}\``, event, `\`${to}\``]),
  );
  return table([['state', 'event', 'next state'], ...transitions]);
}

if (isStarted(import.meta.url)) {
  const text = withMachines(readDocument('docs/state-machines.md'));
  writeFileSync(new URL('../docs/state-machines.md', import.meta.url), text);
}
