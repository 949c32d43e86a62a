// The cost model of the virtual probe against hardware figures (docs/reference/stlink.md §6.1), in virtual time.
// Method: the command patterns of three programs (docs/reference/stlink.md §3.3, §5.1) run on the virtual F427 behind
// the virtual V2; the chip executes real loaders. The command latency, known only as 1 to 3 ms, is fitted on one figure
// (OpenOCD's dump_image) by bisection; everything else keeps its default. Shares may overlap: the chip programs while
// the probe transfers. Run: npx tsx bench/stlink-cost.ts
import { Board } from '../sim/board.ts';
import { COST_ROWS, costModel, usbNs, wireNs } from '../sim/stlink/cost.ts';
import type { CostModel } from '../sim/stlink/cost.ts';
import { VirtualStlink } from '../sim/stlink/virtual-stlink.ts';

const SRAM = 0x20000000;
const FLASH = 0x08000000;
const FLASH_REGISTERS = 0x40023c00;
const [KEYR, SR, CR] = [0x04, 0x0c, 0x10].map((offset) => FLASH_REGISTERS + offset) as [number, number, number];
const DHCSR = 0xe000edf0;
const [DIVISOR_1800, DIVISOR_4000] = [1, 0];
const READ_MAX = 6144;

/**
 * Half-words from a ring in SRAM into flash: write pointer at [r0], read pointer at [r0+4], data behind them up to r1;
 * r2 target, r3 half-words left, r4 flash registers.
 */
const RING_LOADER = bytes(
  '40f20115256105684668b542fbd036f8027b22f8027bbff34f8fe76817f4803ffbd18e4228bf00f108064660013bead100be',
);
/** Words from r0 into flash at r1, r2 bytes of them; r4 flash registers. */
const WORD_LOADER = bytes('40f20125256150f8047b41f8047be76817f4803ffbd1043af5dc00be');

interface Shares {
  /** Commands and bytes on USB, ns. */
  usb: number;
  swd: number;
  erase: number;
  program: number;
  /** The host sleeps between polls. */
  host: number;
}

/** A host on the virtual probe that keeps account. */
class Host {
  readonly board = new Board();
  readonly shares: Shares = { usb: 0, swd: 0, erase: 0, program: 0, host: 0 };
  readonly #stlink: VirtualStlink;
  readonly #model: CostModel;
  #operationBegan = 0;

  constructor(cost: Partial<CostModel>, divisor: number) {
    this.#model = costModel(2, cost);
    const { board, shares } = this;
    const transferNs = (): number => wireNs(this.#model.clocksPerTransfer, this.#stlink.swdKHz);
    this.#stlink = new VirtualStlink({ board, cost, onSwd: () => (shares.swd += transferNs()) });
    board.flash.onOperation = ({ kind, phase, atNs }) => {
      if (phase === 'start') this.#operationBegan = atNs;
      else shares[kind === 'erase' ? 'erase' : 'program'] += atNs - this.#operationBegan;
    };
    board.powerOn();
    for (const command of ['f307', 'f230a3', 'f24b00', `f243${le(divisor, 2)}`]) this.send(command);
    this.writeWord(DHCSR, 0xa05f0003);
    Object.assign(shares, { usb: 0, swd: 0 });
  }

  get nowNs(): number {
    return this.board.time.now;
  }
  send(command: string, data?: Uint8Array): Uint8Array {
    const { reply } = this.#stlink.exchange(bytes(command), data);
    this.shares.usb += this.#model.commandNs + usbNs(this.#model, (data?.length ?? 0) + reply.length);
    return reply;
  }
  sleep(ms: number): void {
    this.shares.host += ms * 1e6;
    this.board.runTo(this.nowNs + ms * 1e6);
  }
  readWord(address: number): number {
    return word(this.send(`f236${le(address, 4)}`), 4);
  }
  writeWord(address: number, value: number): void {
    this.send(`f235${le(address, 4)}${le(value, 4)}`);
  }
  writeRegister(number: number, value: number): void {
    this.send(`f234${le(number, 1)}${le(value, 4)}`);
  }
  /** As OpenOCD's DAP mode does memory: the command, its status, and a look at CTRL/STAT. */
  dapRead(address: number, length: number): Uint8Array {
    const reply = this.send(`f207${le(address, 4)}${le(length, 2)}`);
    this.#dapStatus();
    return reply;
  }
  dapWrite(address: number, data: Uint8Array): void {
    this.send(`f208${le(address, 4)}${le(data.length, 2)}`, data);
    this.#dapStatus();
  }
  /** Starts what lies at the beginning of SRAM. */
  start(registers: readonly number[]): void {
    for (const [number, value] of registers.entries()) this.writeRegister(number, value);
    this.writeRegister(15, SRAM);
    this.writeWord(DHCSR, 0xa05f0009);
  }
  #dapStatus(): void {
    this.send('f23e');
    this.send('f245ffff0400');
  }
}

/** OpenOCD's `dump_image`: pieces of 4096 bytes. */
function dump(host: Host, size: number): void {
  for (let done = 0; done < size; done += 4096) host.dapRead(FLASH + done, 4096);
}

/** OpenOCD's `flash write_image erase` of whole sectors of 16 KiB. */
function openocdWrite(host: Host, size: number): void {
  const dapWord = (address: number, value: number): void => host.dapWrite(address, bytes(le(value, 4)));
  for (let sector = 0; sector * 0x4000 < size; sector++) {
    for (const key of [0x45670123, 0xcdef89ab]) dapWord(KEYR, key);
    dapWord(CR, 0x10002 | (sector << 3));
    while ((word(host.dapRead(SR, 4)) & 0x10000) !== 0) host.sleep(1);
    dapWord(CR, 0x80000000);
  }
  const [ring, end] = [SRAM + 0x4c, SRAM + 0x404c + 8];
  const data = ring + 8;
  host.dapWrite(SRAM, RING_LOADER.subarray(0, RING_LOADER.length & ~3));
  host.dapWrite(SRAM + (RING_LOADER.length & ~3), bytes('00be00be'));
  host.dapWrite(ring, bytes(le(data, 4) + le(data, 4)));
  for (const key of [0x45670123, 0xcdef89ab]) dapWord(KEYR, key);
  host.start([ring, end, FLASH, size / 2, FLASH_REGISTERS]);
  const image = new Uint8Array(size).fill(0x5a);
  let [put, done] = [data, 0];
  while (done < size) {
    const taken = word(host.dapRead(ring + 4, 4));
    // One half-word stays free, so that a full ring differs from an empty one.
    const room = put < taken ? taken - put - 2 : end - put - (taken === data ? 2 : 0);
    const length = Math.min(room, size - done, READ_MAX) & ~3;
    if (length <= 0) {
      host.sleep(2);
      continue;
    }
    host.dapWrite(put, image.subarray(done, done + length));
    done += length;
    put = put + length >= end ? data : put + length;
    dapWord(ring, put);
  }
  while ((word(host.dapRead(DHCSR, 4)) & 0x20000) === 0) host.sleep(1);
}

/** st-flash's write, without its erase: 32 KiB into SRAM at once, then its loader with word programming. */
function stFlashWrite(host: Host, size: number): void {
  const source = SRAM + 0x30;
  host.send(`f208${le(SRAM, 4)}${le(WORD_LOADER.length, 2)}`, WORD_LOADER);
  for (let done = 0; done < size; done += 0x8000) {
    const block = new Uint8Array(Math.min(0x8000, size - done)).fill(0x5a);
    for (const key of [0x45670123, 0xcdef89ab]) host.writeWord(KEYR, key);
    host.send(`f208${le(source, 4)}${le(block.length, 2)}`, block);
    host.writeWord(0x40003000, 0xaaaa);
    host.start([source, FLASH + done, block.length, 0, FLASH_REGISTERS]);
    do host.sleep(10);
    while ((host.readWord(DHCSR) & 0x20000) === 0);
    host.readWord(SR);
  }
}

/** 16 KiB sectors only: the figures with other sizes erase larger sectors in other families. */
interface Figure {
  readonly name: string;
  readonly size: number;
  readonly divisor: number;
  readonly work: (host: Host, size: number) => void;
  /** Seconds on hardware, and where it is told. */
  readonly seconds: number;
  readonly source: string;
}

const FIGURES: readonly Figure[] = [
  {
    name: 'dump_image, 1.8 MHz',
    size: 1 << 20,
    divisor: DIVISOR_1800,
    work: dump,
    seconds: 10.41,
    source: 'V2-1 J25, F746',
  },
  {
    name: 'OpenOCD erase + write',
    size: 32_768,
    divisor: DIVISOR_4000,
    work: openocdWrite,
    seconds: 1.1,
    source: 'V2 J36, F429',
  },
  {
    name: 'OpenOCD erase + write',
    size: 49_152,
    divisor: DIVISOR_4000,
    work: openocdWrite,
    seconds: 1.58,
    source: 'V2 J47, F411',
  },
  {
    name: 'OpenOCD erase + write',
    size: 16_384,
    divisor: DIVISOR_4000,
    work: openocdWrite,
    seconds: 0.52,
    source: 'V2-1 J42, F446',
  },
  {
    name: 'st-flash write',
    size: 299_464,
    divisor: DIVISOR_1800,
    work: stFlashWrite,
    seconds: 4,
    source: 'V2-class, F411',
  },
];

function run(figure: Figure, cost: Partial<CostModel>): { readonly seconds: number; readonly shares: Shares } {
  const host = new Host(cost, figure.divisor);
  const began = host.nowNs;
  figure.work(host, figure.size);
  return { seconds: (host.nowNs - began) / 1e9, shares: host.shares };
}

/** The command latency in its sourced range with which `figure` takes its seconds, or the nearest end of the range. */
function fitted(figure: Figure): number {
  let [low, high] = COST_ROWS.fullSpeed.commandNs.range as readonly [number, number];
  for (let i = 0; i < 12; i++) {
    const middle = (low + high) / 2;
    if (run(figure, { commandNs: middle }).seconds < figure.seconds) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function report(figure: Figure, commandNs: number): string {
  const { seconds, shares } = run(figure, { commandNs });
  const rate = (s: number): string => (figure.size / 1024 / s).toFixed(1);
  const share = Object.values(shares).map((ns: number) => `${((ns / 1e9 / seconds) * 100).toFixed(0)} %`);
  const off = `${seconds > figure.seconds ? '+' : ''}${((seconds / figure.seconds - 1) * 100).toFixed(0)} %`;
  const cells = [figure.name, figure.size, figure.source, figure.seconds, rate(figure.seconds)];
  return `| ${[...cells, seconds.toFixed(2), rate(seconds), off, ...share].join(' | ')} |`;
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** `value` as `size` bytes in hex, little endian. */
function le(value: number, size: number): string {
  return Array.from({ length: size }, (_, i) => ((value / 2 ** (8 * i)) & 0xff).toString(16).padStart(2, '0')).join('');
}

function word(reply: Uint8Array, at = 0): number {
  return new DataView(reply.buffer, reply.byteOffset).getUint32(at, true);
}

const commandNs = fitted(FIGURES[0]!);
console.log(`command latency fitted on "${FIGURES[0]!.name}": ${(commandNs / 1e6).toFixed(2)} ms`);
console.log('| What | Bytes | Hardware | s | KiB/s | Model s | KiB/s | Off | USB | SWD | Erase | Program | Host |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
for (const figure of FIGURES) console.log(report(figure, commandNs));
