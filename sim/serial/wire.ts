// One wire of a serial line: characters as levels over time, and pulses of noise over them (RM0090 §30.3). Pure: the
// state is one object that can be cloned, time is an argument.

/** A character on the wire. Bit `i` of `levels` is the level during the i-th bit; behind the last the line idles. */
export interface Character {
  readonly startNs: number;
  readonly bitNs: number;
  readonly levels: number;
  readonly bits: number;
}

/** A span in which the level is the opposite of what its sender wants. */
export interface Pulse {
  readonly fromNs: number;
  readonly toNs: number;
}

export interface WireState {
  /** In order of time, without overlap. */
  readonly characters: Character[];
  /** In order of time, without overlap. */
  readonly pulses: Pulse[];
}

export function emptyWire(): WireState {
  return { characters: [], pulses: [] };
}

/** When the character's last bit is over. */
export function endOf({ startNs, bitNs, bits }: Character): number {
  return startNs + bits * bitNs;
}

/** When everything said so far is over; -Infinity for a wire on which nothing was. */
export function quietFrom({ characters }: WireState): number {
  const last = characters.at(-1);
  return last === undefined ? -Infinity : endOf(last);
}

/** Level at `ns`: 1 while nobody drives the line. */
export function levelAt(wire: WireState, ns: number): 0 | 1 {
  const disturbed = wire.pulses.some(({ fromNs, toNs }) => fromNs <= ns && ns < toNs);
  return ((driven(wire, ns) ^ (disturbed ? 1 : 0)) & 1) as 0 | 1;
}

function driven({ characters }: WireState, ns: number): number {
  for (const character of characters) {
    if (ns < character.startNs) return 1;
    if (ns < endOf(character)) return (character.levels >>> Math.floor((ns - character.startNs) / character.bitNs)) & 1;
  }
  return 1;
}

/** The first instant at or behind `fromNs` at which the level falls from 1 to 0; Infinity when none is known. */
export function nextFall(wire: WireState, fromNs: number): number {
  return wire.pulses.length === 0 ? fallOfCharacters(wire, fromNs) : fallAmongPulses(wire, fromNs);
}

function fallOfCharacters({ characters }: WireState, fromNs: number): number {
  let before = 1;
  let beforeEndNs = -Infinity;
  for (const character of characters) {
    const { startNs, bitNs, levels, bits } = character;
    let level = startNs > beforeEndNs ? 1 : before;
    for (let i = 0; i < bits; i++) {
      const next = (levels >>> i) & 1;
      if (level === 1 && next === 0 && startNs + i * bitNs >= fromNs) return startNs + i * bitNs;
      level = next;
    }
    before = level;
    beforeEndNs = endOf(character);
  }
  return Infinity;
}

/** Characters looked at in one go where pulses may hide edges. */
const AT_ONCE = 8;

function fallAmongPulses(wire: WireState, fromNs: number): number {
  const ahead = wire.characters.filter((character) => endOf(character) >= fromNs);
  const near = ahead.slice(0, AT_ONCE);
  const more = ahead.length > near.length;
  const untilNs = more ? endOf(near.at(-1)!) : Infinity;
  const edges = near.flatMap(({ startNs, bitNs, bits }) =>
    Array.from({ length: bits + 1 }, (_, i) => startNs + i * bitNs),
  );
  edges.push(...wire.pulses.flatMap(({ fromNs: from, toNs }) => [from, toNs]).filter((ns) => ns <= untilNs));
  edges.sort((a, b) => a - b);
  let before: number = 1;
  for (const ns of edges) {
    const level = levelAt(wire, ns);
    if (before === 1 && level === 0 && ns >= fromNs) return ns;
    before = level;
  }
  return more ? fallAmongPulses(wire, untilNs) : Infinity;
}

/** Forgets what is over before `ns`. */
export function forget({ characters, pulses }: WireState, ns: number): void {
  let old = 0;
  while (old < characters.length && endOf(characters[old]!) < ns) old++;
  // The character before says what the level was.
  if (old > 1) characters.splice(0, old - 1);
  while (pulses.length > 0 && pulses[0]!.toNs < ns) pulses.shift();
}

/** The sender falls silent at `ns`, in the midst of what it was saying. */
export function cutOff({ characters }: WireState, ns: number): void {
  while (characters.length > 0 && characters.at(-1)!.startNs >= ns) characters.pop();
  const last = characters.at(-1);
  if (last === undefined || endOf(last) <= ns) return;
  characters[characters.length - 1] = { ...last, bits: Math.ceil((ns - last.startNs) / last.bitNs) };
}
