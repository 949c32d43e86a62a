// What `blindflash` alone says: who runs what, and where each begins.
import type { CommandDeclaration, Who } from './command.ts';

interface Part {
  readonly who: Who;
  readonly title: string;
}

/** In this order; the first lines are read by somebody who has never seen the program. */
const PARTS: readonly Part[] = [
  { who: 'customer', title: 'You have the board on your desk' },
  { who: 'vendor', title: 'You have the firmware' },
  { who: 'operator', title: 'You run the place where the two meet' },
  { who: 'anyone', title: 'Without any hardware, without keys' },
  { who: 'developer', title: 'You try things out, or write programs' },
];

/** Lines for a terminal. */
export function overview(commands: readonly CommandDeclaration[]): string[] {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const parts = PARTS.flatMap(({ who, title }) => {
    const theirs = commands.filter((command) => command.who === who);
    const lines = theirs.map(({ name, summary }) => `  blindflash ${name.padEnd(width)}  ${summary}`);
    return lines.length === 0 ? [] : [`${title}:`, ...lines, ''];
  });
  return [
    'Flash the chip on someone else’s desk without showing them the firmware.',
    '',
    ...parts,
    'blindflash COMMAND --help shows its options and an example; `blindflash demo` shows a whole job on this computer.',
  ];
}
