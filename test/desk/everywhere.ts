// Every attack at many instants of a device's life, under every switch of the model: which secrets were found. Under
// the defaults there must be none; where a switch opens what silicon might leave open, the search must find them, or it
// would not see a leak either.
import type { Board } from '../../sim/board.ts';
import type { BoardOptions } from '../../sim/board-options.ts';
import { LOCKED, planted, plantedFlash, runMs } from '../integration/loader/loader-fixture.ts';
import { ATTACKS, type AttackName } from './attacks.ts';
import type { Secrets } from './secrets.ts';
import { instants, known, SECTOR_0_PROTECTED, slotOf, stopAt, type Walk } from './walk.ts';

interface Setting {
  readonly options?: Partial<BoardOptions>;
  readonly attacks: readonly AttackName[];
  /** Beginnings of names that must be found in memory: the way is open, and the search sees it. */
  readonly finds?: readonly string[];
  /** The same of single words. */
  readonly findsWords?: readonly string[];
}

const ALL = Object.keys(ATTACKS) as AttackName[];
/** What backup SRAM holds at some instant or other. */
const SESSION = ['enroll: chain', 'device: chain', 'image', 'd_', 'file: chain', 'program'] as const;

/** One row for each switch that could let something out, alone or with what it takes beside it. */
export const SETTINGS = {
  'as documented': { attacks: ALL },
  'registers are cleared by a reset': {
    options: { switches: { registersAtReset: 'zero' } },
    attacks: ['connect under reset', 'start from the ROM'],
  },
  'backup SRAM for the debugger': {
    options: { switches: { bkpSramReadableByDebuggerAtL1: true } },
    attacks: ['look in', 'connect under reset', 'start from the ROM'],
    finds: SESSION,
  },
  'backup SRAM for the core': {
    options: { switches: { bkpSramReadableByCpuAtL1: true } },
    attacks: ['start from SRAM'],
    finds: SESSION,
  },
  'backup SRAM for DMA': {
    options: { switches: { bkpSramReadableByDmaAtL1: true } },
    attacks: ['start from SRAM, DMA'],
    finds: SESSION,
  },
  'a word before the latch': {
    options: { switches: { wordBeforeLatch: true } },
    attacks: ['first word'],
    findsWords: ['d_s'],
  },
  'write protection outlives the regression': {
    options: { switches: { wrpSurvivesRegression: true } },
    attacks: ['regression', 'regression that is cut'],
  },
  'write protection outlives it, and is on the sector of the keys': {
    options: { switches: { wrpSurvivesRegression: true }, optcr: SECTOR_0_PROTECTED & ~(1 << 17) },
    attacks: ['regression'],
    finds: ['d_s', 'd_f', 'k'],
  },
  'a battery on V_BAT': {
    options: { battery: true, switches: { bkpSramReadableByDebuggerAtL1: true } },
    attacks: ['power cycle'],
  },
  'backup SRAM over a loss of power': {
    options: { switches: { bkpSramAtPowerOff: 'kept', bkpSramReadableByDebuggerAtL1: true } },
    attacks: ['power cycle'],
    finds: SESSION,
  },
  'any reset looks like that of the power': {
    options: { switches: { resetFlags: 'power-too' } },
    attacks: ['restart', 'connect under reset'],
  },
  'a cut erase leaves weak cells': {
    options: { switches: { cutErase: 'weak' } },
    attacks: ['regression that is cut'],
  },
  'starting from SRAM does not trip the latch': {
    options: { switches: { latchOnSramBoot: 'no' } },
    attacks: ['start from SRAM, unseen'],
    finds: ['d_s', 'd_f', 'k', 'image', 'program'],
  },
  'unaligned words of devices are split': {
    options: { switches: { unalignedDevice: 'splits' } },
    attacks: ['connect under reset'],
  },
} as const satisfies Record<string, Setting>;
export type SettingName = keyof typeof SETTINGS;

/** What an attack found over all instants: how often it was made, and the names with how often each. */
export interface Found {
  made: number;
  readonly memory: Map<string, number>;
  readonly words: Map<string, number>;
  /** How often words were found of keys that the next start gave up. */
  givenUp: number;
}
export type Findings = Map<SettingName, Map<AttackName, Found>>;

const ROWS = Object.entries(SETTINGS) as [SettingName, Setting][];
const KEYS: ReadonlySet<string> = new Set(['d_s', 'd_f', 'k']);
/** Attacks that take long are made at each instant of so many. */
const SLOW: ReadonlySet<AttackName> = new Set(['restart', 'regression', 'regression that is cut']);
const SPARSE = 4;
const MADE_MS = 80;
const OFF_NS = 1e6;

const flash = plantedFlash();
function boardOf({ options }: Setting): Board {
  return planted({}, { ...LOCKED, optcr: SECTOR_0_PROTECTED, ...options }, flash);
}
const count = (into: Map<string, number>, names: Iterable<string>): void => {
  for (const name of names) into.set(name, (into.get(name) ?? 0) + 1);
};

/** The slot that was being made when the board was stopped is none of the keys it has after its next start. */
function givesUp(board: Board): boolean {
  board.releaseNrst();
  board.powerOff();
  board.runTo(board.time.now + OFF_NS);
  board.boot = 'flash';
  board.powerOn();
  runMs(board, MADE_MS);
  return slotOf(board).every((byte) => byte === 0);
}

function attackAt(board: Board, attack: AttackName, secrets: Secrets, chance: number, found: Found): void {
  const loot = ATTACKS[attack](board, secrets, chance);
  if (loot === undefined) return;
  found.made++;
  count(found.memory, loot.memory);
  const words = [...loot.words];
  const givenUp = loot.memory.size === 0 && words.some((name) => KEYS.has(name)) && givesUp(board);
  if (givenUp) found.givenUp++;
  count(
    found.words,
    words.filter((name) => !givenUp || !KEYS.has(name)),
  );
}

/** Nothing found yet, in every row. */
export const nothingFound = (): Findings => new Map(ROWS.map(([name]) => [name, new Map()]));

/** Attacks at `amount` instants by chance, what they find added to `findings`. */
export function everywhere(amount: number, seed: number, findings: Findings, walk: Walk = known()): void {
  const boards = new Map(ROWS.map(([name, setting]) => [name, boardOf(setting)]));
  const optionWords = new Map([...boards].map(([name, board]) => [name, { ...board.options.words }]));
  stopAt(instants(walk, amount, seed), (snapshot, index) => {
    for (const [name, { attacks }] of ROWS) {
      const board = boards.get(name)!;
      const row = findings.get(name)!;
      for (const attack of attacks) {
        if (SLOW.has(attack) && index % SPARSE !== 0) continue;
        board.restore(snapshot);
        board.options.words = { ...optionWords.get(name)! };
        const found = row.get(attack) ?? { made: 0, memory: new Map(), words: new Map(), givenUp: 0 };
        row.set(attack, found);
        attackAt(board, attack, walk.secrets, seed * amount + index, found);
      }
    }
  });
}

/** What must not be, a sentence each. */
export function faults(findings: Findings): string[] {
  const sentences: string[] = [];
  for (const [name, row] of findings) {
    const { finds = [], findsWords = [] }: Setting = SETTINGS[name];
    for (const [attack, { memory, words }] of row) {
      const [inMemory, inWords] = [[...memory.keys()], [...words.keys()]];
      const keys = inWords.filter((word) => KEYS.has(word));
      const missing = [
        ...finds.filter((begin) => !inMemory.some((found) => found.startsWith(begin))),
        ...findsWords.filter((word) => !inWords.includes(word)),
      ];
      if (missing.length > 0) sentences.push(`${name}, ${attack}: not found: ${missing.join(', ')}`);
      if (finds.length === 0 && inMemory.length > 0) sentences.push(`${name}, ${attack}: found ${inMemory.join(', ')}`);
      if (finds.length + findsWords.length === 0 && keys.length > 0) {
        sentences.push(`${name}, ${attack}: words of ${keys.join(', ')}`);
      }
    }
  }
  return sentences;
}
