// What somebody at the desk with a probe, the reset button, the boot pins and the supply can do to a board at an
// instant, and all he may read then. Each attack takes a board of its own that stands at the instant.
import { BusFault, BusWait, type Master } from '../../sim/bus.ts';
import type { Board } from '../../sim/board.ts';
import { BLOCKS, BLOCK_SIZE } from '../../sim/peripherals/address-map.ts';
import { randomState } from '../../sim/peripherals/random.ts';
import { LOADER_MAP } from '../../controller/loader/config.ts';
import { runMs } from '../integration/loader/loader-fixture.ts';
import { Secrets, slotSecrets } from './secrets.ts';
import { slotOf } from './walk.ts';

/** What was found, by name. */
export interface Loot {
  /** In SRAM, CCM, backup SRAM or flash. */
  readonly memory: ReadonlySet<string>;
  /** Single words, in r0 to r12, SP, LR, or registers of peripherals. */
  readonly words: ReadonlySet<string>;
}
/** undefined: the attack cannot be made at this instant. */
export type Attack = (board: Board, secrets: Secrets, chance: number) => Loot | undefined;

const BACKUP = 0x40024000;
const BACKUP_BYTES = 4096;
const SLOTS_BYTES = 2048;
const IMAGE_BYTES = 4096;
const REFUSALS = 16;
const DHCSR = 0xe000edf0;
const HALT = 0xa05f0003;
const DEMCR = 0xe000edfc;
const VC_CORERESET = 1;
const REGISTERS = 15;
const RCC_AHB1ENR = 0x40023830;
const RCC_APB1ENR = 0x40023840;
const RCC_APB2ENR = 0x40023844;
/** GPIO A, CRC, backup SRAM, DMA 1 and 2. */
const ALL_AHB1 = 1 | (1 << 12) | (1 << 18) | (1 << 21) | (1 << 22);
const PWR_CLOCK = 1 << 28;
const USART1_CLOCK = 1 << 4;
const PULSE_NS = 100_000;
const HELD_NS = 1e6;
const UP_NS = 3e6;
const AGAIN_MS = 80;
const OPTKEYR = 0x40023c08;
const OPTCR = 0x40023c14;
const OPTION_KEYS = [0x08192a3b, 0x4c5d6e7f] as const;
const RDP_0 = 0xaa00;
const RDP_BITS = 0xff00;
const OPTSTRT = 2;
const ERASED_NS = 60e9;
/** Peripherals of which a register may hold what passed through it. */
const LOOKED_AT = new Set(['CRC', 'RNG', 'USART1', 'DMA1', 'DMA2', 'FLASH', 'PWR', 'RCC', 'RTC', 'SYSCFG', 'GPIOA']);

function word(board: Board, address: number, master: Master): number | undefined {
  try {
    return board.bus.read(address, 4, master);
  } catch (error) {
    if (error instanceof BusFault || error instanceof BusWait) return undefined;
    throw error;
  }
}
/** What `master` reads of [from, from + bytes); zeros where he is refused, and behind so many refusals in a row. */
function range(board: Board, from: number, bytes: number, master: Master): Uint8Array {
  const words = new Uint32Array(bytes / 4);
  for (let i = 0, refused = 0; i < words.length && refused < REFUSALS; i++) {
    const value = word(board, from + 4 * i, master);
    refused = value === undefined ? refused + 1 : 0;
    words[i] = value ?? 0;
  }
  return new Uint8Array(words.buffer);
}
function peripheralWords(board: Board, master: Master): number[] {
  const words: number[] = [];
  for (const { name, base } of BLOCKS) {
    if (!LOOKED_AT.has(name)) continue;
    for (let at = base; at < base + BLOCK_SIZE / 4; at += 4) words.push(word(board, at, master) ?? 0);
  }
  return words;
}

/** Everything `master` reads: RAM as it is, all else through the bus and its gates. */
function search(board: Board, secrets: Secrets, master: Master): Loot {
  const memory = new Set<string>();
  const look = (bytes: Uint8Array): void => {
    for (const name of secrets.inMemory(bytes)) memory.add(name);
  };
  for (const { base, bytes } of board.soc.memories.ram) if (word(board, base, master) !== undefined) look(bytes);
  look(range(board, LOADER_MAP.slots, SLOTS_BYTES, master));
  look(range(board, LOADER_MAP.image, IMAGE_BYTES, master));
  look(range(board, BACKUP, BACKUP_BYTES, master));
  return { memory, words: secrets.amongWords(peripheralWords(board, master)) };
}

/** Clocks that a reset switched off, backup SRAM's among them. */
function clocks(board: Board, master: Master): void {
  board.bus.write(RCC_AHB1ENR, ALL_AHB1, 4, master);
  board.bus.write(RCC_APB1ENR, PWR_CLOCK, 4, master);
  board.bus.write(RCC_APB2ENR, USART1_CLOCK, 4, master);
}
function halted(board: Board, secrets: Secrets): Loot {
  const { memory, words } = search(board, secrets, 'debugger');
  const registers = secrets.amongWords(board.core.regs.slice(0, REGISTERS));
  return { memory, words: new Set([...words, ...registers]) };
}

/** The probe on the running chip. */
const attach: Attack = (board, secrets) => {
  if (!board.debugPortEnabled) return undefined;
  board.debugAccess();
  board.bus.write(DHCSR, HALT, 4, 'debugger');
  board.runTo(board.time.now + PULSE_NS);
  return halted(board, secrets);
};

/** The debugger's view of memory as if the debug pins were no obstacle, the core still running. */
const lookIn: Attack = (board, secrets) => {
  board.debugAccess();
  return search(board, secrets, 'debugger');
};

/** NRST low, the probe attached, the core halted before its first instruction. */
function underReset(board: Board): void {
  board.assertNrst();
  board.runTo(board.time.now + PULSE_NS);
  board.debugAccess();
  board.bus.write(DHCSR, HALT, 4, 'debugger');
  board.bus.write(DEMCR, VC_CORERESET, 4, 'debugger');
  board.releaseNrst();
  board.runTo(board.time.now + PULSE_NS);
  clocks(board, 'debugger');
}
const connectUnderReset: Attack = (board, secrets) => {
  underReset(board);
  return halted(board, secrets);
};

function bootFrom(board: Board, boot: 'sram' | 'system'): void {
  board.assertNrst();
  board.boot = boot;
  board.runTo(board.time.now + PULSE_NS);
}
/** Code is put into SRAM by a probe under reset and started by the boot pins; it reads, and so does DMA for it. */
const bootSram =
  (master: 'cpu' | 'dma'): Attack =>
  (board, secrets) => {
    bootFrom(board, 'sram');
    board.debugAccess();
    board.releaseNrst();
    clocks(board, 'cpu');
    return search(board, secrets, master);
  };
/** The same, the pins alone having a say: the code lies in SRAM already, and no probe is attached. */
const bootSramUnseen: Attack = (board, secrets) => {
  bootFrom(board, 'sram');
  board.releaseNrst();
  clocks(board, 'cpu');
  return search(board, secrets, 'cpu');
};
/** The maker's boot program runs, which the probe stops. */
const bootRom: Attack = (board, secrets) => {
  bootFrom(board, 'system');
  board.releaseNrst();
  board.runTo(board.time.now + PULSE_NS);
  clocks(board, 'cpu');
  board.debugAccess();
  board.bus.write(DHCSR, HALT, 4, 'debugger');
  board.runTo(board.time.now + PULSE_NS);
  return halted(board, secrets);
};

/** Power off and on with NRST low: one word of the slots is read first, another one each time. */
const firstWord: Attack = (board, secrets, chance) => {
  board.assertNrst();
  board.powerOff();
  board.runTo(board.time.now + HELD_NS);
  board.powerOn();
  board.runTo(board.time.now + UP_NS);
  board.debugAccess();
  board.releaseNrst();
  clocks(board, 'debugger');
  const first = word(board, LOADER_MAP.slots + 4 * (1 + (chance % 8)), 'debugger');
  const rest = search(board, secrets, 'debugger');
  return { memory: rest.memory, words: new Set([...rest.words, ...secrets.amongWords([first ?? 0])]) };
};

/** Power off and on, then the probe under reset. */
const powerCycle: Attack = (board, secrets) => {
  board.powerOff();
  board.runTo(board.time.now + HELD_NS);
  board.powerOn();
  board.runTo(board.time.now + UP_NS);
  return connectUnderReset(board, secrets, 0);
};

/** A pulse on NRST, and all that the board does next; then the probe under reset. Keys made now count as well. */
const restart: Attack = (board, secrets) => {
  board.assertNrst();
  board.runTo(board.time.now + PULSE_NS);
  board.releaseNrst();
  runMs(board, AGAIN_MS);
  const made = new Secrets();
  for (let index = 0; index < 2; index++) {
    const slot = slotOf(board, index);
    if (slot.some((byte) => byte !== 0 && byte !== 0xff)) made.addAll(slotSecrets(slot));
  }
  underReset(board);
  const [before, now] = [halted(board, secrets), halted(board, made)];
  return { memory: new Set([...before.memory, ...now.memory]), words: new Set([...before.words, ...now.words]) };
};

/** Read protection taken down by a probe, whole or cut by the supply somewhere; then all is read. */
const regression =
  (cut: boolean): Attack =>
  (board, secrets, chance) => {
    underReset(board);
    const erase = board.options.optcr;
    for (const key of OPTION_KEYS) board.bus.write(OPTKEYR, key, 4, 'debugger');
    board.bus.write(OPTCR, ((erase & ~RDP_BITS & ~1) | RDP_0 | OPTSTRT) >>> 0, 4, 'debugger');
    if (cut) {
      const lasting = board.time.now + ((chance % 97) / 97) * 20e9;
      board.flash.restore({ ...(board.flash.snapshot() as object), random: randomState(chance, 'power cut') });
      board.cutPowerAt(lasting);
      board.runTo(lasting + PULSE_NS);
    } else {
      board.runTo(board.time.now + ERASED_NS);
    }
    board.powerOff();
    board.runTo(board.time.now + HELD_NS);
    board.powerOn();
    board.runTo(board.time.now + UP_NS);
    return connectUnderReset(board, secrets, chance);
  };

export const ATTACKS = {
  attach,
  'look in': lookIn,
  'connect under reset': connectUnderReset,
  'start from SRAM': bootSram('cpu'),
  'start from SRAM, DMA': bootSram('dma'),
  'start from SRAM, unseen': bootSramUnseen,
  'start from the ROM': bootRom,
  'first word': firstWord,
  'power cycle': powerCycle,
  restart,
  regression: regression(false),
  'regression that is cut': regression(true),
} as const satisfies Record<string, Attack>;
export type AttackName = keyof typeof ATTACKS;
