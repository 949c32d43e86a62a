// The flash interface of an F42x: registers, locks, programming and erase, busy stalls, option programming
// (docs/reference/stm32f4.md §3, §4). Array, cache, option bytes, read protection and the state have files of their
// own.
import { BusFault, BusWait, type Device, type Gate, type Master, type Width } from '../bus.ts';
import type { BoardTimer } from '../board-time.ts';
import type { ResetKind } from '../core-port.ts';
import { FlashArray } from './flash-array.ts';
import {
  ACR,
  type FlashNeighbours,
  type FlashState,
  freshRegisters,
  needsLook,
  noteEnded,
  settleBroken,
  warnStaleCode,
  waitStates,
} from './flash-state.ts';
import { addressOf, complete, type FlashJournalEntry, type Operation } from './flash-operation.ts';
import { accessBits, clearableFlags, CR, eraseRequest, plainBits, psizeOf, SR, storeErrors } from './flash-rules.ts';
import { latencyNeeded, massEraseNs, programNs, sectorEraseNs, widestPsize } from './flash-timing.ts';
import { closeLock, offerKey, type KeyLock } from './key-lock.ts';
import { optionMasks, type OptionMasks } from './option-bytes.ts';
import { optionWrite } from './option-write.ts';
import { bit, RegisterBlock, type Context } from './part.ts';
import { randomState } from './random.ts';

const REG = { acr: 0x00, keyr: 0x04, optkeyr: 0x08, sr: 0x0c, cr: 0x10, optcr: 0x14, optcr1: 0x18 } as const;
const KEYS = [0x45670123, 0xcdef89ab] as const;
const OPTION_KEYS = [0x08192a3b, 0x4c5d6e7f] as const;
const REGISTERS_BASE = 0x40023c00;
const OPTCR = { lock: 1, start: 2 } as const;
const FLASH_IRQ = 4;
const MIN_HCLK_HZ = 1e6;

export class FlashController extends RegisterBlock<FlashState> {
  readonly array: FlashArray;
  /** Shuts direct reads while anything about them needs a look. */
  readonly gate: Gate;
  /** Called at the start and end of each array operation. */
  onOperation: ((entry: FlashJournalEntry) => void) | undefined;
  readonly #near: FlashNeighbours;
  readonly #done: BoardTimer;
  readonly #clearable: number;
  readonly #plain: number;
  readonly #access: number;
  readonly #optionMasks: OptionMasks;

  constructor(context: Context, near: FlashNeighbours, changed: (offset: number, length: number) => void) {
    super(context, {
      ...freshRegisters(),
      optcr: 0,
      optcr1: 0,
      held: true,
      split: false,
      stalls: 0,
      storeStalls: 0,
      random: randomState(near.seed, 'flash'),
      weak: [],
      flickers: randomState(near.seed, 'weak cells'),
    });
    this.#near = near;
    this.#clearable = clearableFlags(context.chip);
    this.#plain = plainBits(context.chip);
    this.#access = accessBits(context.chip);
    this.#optionMasks = optionMasks(context.chip);
    this.array = new FlashArray(context.chip, changed);
    this.gate = { closed: true, check: (address, master) => this.#check(address, master) };
    this.#done = context.time.timer('flash', () => this.#finish());
  }

  /** The array content, writable by tests. */
  get bytes(): Uint8Array {
    return this.array.bytes;
  }
  /** Core reads and fetches that had to wait for a busy bank. */
  get stalls(): number {
    return this.state.stalls;
  }
  /** Core stores (array or FLASH_CR) that had to wait for a running operation. */
  get storeStalls(): number {
    return this.state.storeStalls;
  }
  get busy(): boolean {
    return this.state.operation !== undefined;
  }

  /** A reset breaks off a running operation and clears the registers; options are loaded when it is released. */
  reset(_kind: ResetKind): void {
    this.#interrupt();
    this.#done.clear();
    this.array.cache.setEnabled(false);
    this.array.cache.clear();
    Object.assign(this.state, freshRegisters(), { held: true });
    this.#updateGate();
    this.#updateIrq();
  }
  /** Reset released: option bytes reach OPTCR, the array answers. */
  release(): void {
    const { options } = this.#near;
    const { optcr, optcr1 } = this.#optionMasks;
    if (options.bootsBank2) this.context.warn('BFB2: what system memory does with bank 2 is not modelled');
    Object.assign(this.state, {
      optcr: (options.optcr & optcr) >>> 0,
      optcr1: options.optcr1 & optcr1,
      held: false,
    });
    this.#layOut(options.splits);
    this.#updateGate();
  }
  /** DB1M cuts parts of 1 MB into two banks. */
  #layOut(split: boolean): void {
    this.state.split = split;
    this.array.layOut(this.context.chip, split);
  }
  /** Read protection changed. */
  protectionChanged(): void {
    this.#updateGate();
  }
  override restore(state: unknown): void {
    super.restore(state);
    this.#layOut(this.state.split);
    this.#updateGate();
  }

  /** Store port of a part of flash: the array, OTP, or an area that refuses every store. */
  stores(area: 'main' | 'otp' | 'read-only'): Device {
    return {
      read: () => 0,
      write: (offset, value, width, master) => this.#storeInto(area, offset, value, width, master),
    };
  }

  /** Warns when LATENCY is too low for the clock (docs/reference/stm32f4.md §3.9). */
  checkLatency(access: boolean): void {
    const { hz } = this.context.time;
    const needed = latencyNeeded(hz, this.#near.supplyVolts());
    const latency = this.state.acr & ACR.latency;
    if (latency >= needed) return;
    const message = `flash LATENCY ${latency} is too low at ${Math.round(hz / 1e6)} MHz: ${needed} wait states needed`;
    if (access) this.context.complain(REGISTERS_BASE, message);
    else this.context.warn(message);
  }

  override pure(offset: number): boolean {
    return offset < (this.context.chip.flashRegisters.secondBank ? 0x1c : REG.optcr1);
  }
  protected override wordOnly(offset: number): boolean {
    return offset === REG.keyr || offset === REG.optkeyr;
  }
  protected override mergeBase(offset: number): number {
    return offset === REG.sr ? 0 : this.load(offset);
  }
  protected override load(offset: number, master: Master = 'debugger'): number {
    const { acr, sr, cr, optcr, optcr1, lock, optionLock, operation } = this.state;
    switch (offset) {
      case REG.acr:
        return acr;
      case REG.sr:
        return sr | (operation === undefined ? 0 : SR.bsy);
      case REG.cr:
        return (cr | (lock.stage === 'open' ? 0 : CR.lock)) >>> 0;
      case REG.optcr:
        return (optcr | (optionLock.stage === 'open' ? 0 : OPTCR.lock)) >>> 0;
      case REG.optcr1:
        this.#requireSecondBank(master);
        return optcr1;
      default:
        return 0;
    }
  }
  protected override store(offset: number, value: number, master: Master): void {
    switch (offset) {
      case REG.acr:
        return this.#storeAcr(value);
      case REG.keyr:
        return this.#offer(this.state.lock, value, KEYS, offset);
      case REG.optkeyr:
        return this.#offer(this.state.optionLock, value, OPTION_KEYS, offset);
      case REG.sr:
        this.#requireFlags(value, master);
        this.state.sr &= ~(value & this.#clearable);
        return this.#updateIrq();
      case REG.cr:
        return this.#storeCr(value, master);
      case REG.optcr:
        return this.#storeOptcr(value, master);
      case REG.optcr1:
        this.#requireSecondBank(master);
        if (this.state.optionLock.stage === 'open') this.state.optcr1 = value & this.#optionMasks.optcr1;
    }
  }

  /** A program that touches what its part does not have was written for another one. */
  #requireSecondBank(master: Master): void {
    if (master === 'debugger' || this.context.chip.flashRegisters.secondBank) return;
    this.context.complain(REGISTERS_BASE + REG.optcr1, 'FLASH_OPTCR1 on a part with one bank');
  }
  #requireFlags(value: number, master: Master): void {
    if (master === 'debugger' || (value & SR.rderr & ~this.#clearable) === 0) return;
    this.context.complain(REGISTERS_BASE + REG.sr, 'FLASH_SR.RDERR on a part without PCROP');
  }

  #offer(lock: KeyLock, value: number, keys: readonly [number, number], offset: number): void {
    if (!offerKey(lock, value, keys)) throw new BusFault(REGISTERS_BASE + offset, 'flash key refused');
  }

  #storeAcr(value: number): void {
    const { state } = this;
    const { cache } = this.array;
    state.acr = value & this.#access;
    cache.setEnabled(bit(value, ACR.dcen));
    if (bit(value, ACR.dcrst) && !bit(value, ACR.dcen)) cache.clear();
    if (bit(value, ACR.icrst) && !bit(value, ACR.icen)) state.staleCode = [];
    state.lastLine = -1;
    this.#updateGate();
    this.checkLatency(true);
  }

  #storeCr(value: number, master: Master): void {
    this.#awaitIdle(master);
    const { state } = this;
    if (state.held || state.lock.stage !== 'open') return;
    state.cr = (value & this.#plain) >>> 0;
    if (value & CR.lock) return closeLock(state.lock);
    this.#updateIrq();
    if (value & CR.strt) this.#startErase();
  }

  #startErase(): void {
    const { state } = this;
    const request = eraseRequest(state.cr, this.array.sectors, state.split);
    if (request.kind === 'ignored') return;
    if (request.kind === 'nothing') {
      return this.context.complain(REGISTERS_BASE + REG.cr, 'FLASH_CR.STRT without SER or MER: unpredictable');
    }
    if (request.kind === 'conflict') {
      this.context.warn('FLASH_CR asks for a sector and a bank erase at once: documents disagree, refused here');
    }
    if (request.kind === 'conflict' || request.kind === 'no-such-sector') return this.#fail(SR.wrperr);
    const { options, protection } = this.#near;
    if (protection.blocking || request.sectors.some(({ index }) => options.isWriteProtected(index))) {
      return this.#fail(SR.wrperr);
    }
    this.#checkConditions();
    const first = request.sectors[0]!;
    const length = request.sectors.reduce((sum, { size }) => sum + size, 0);
    const psize = psizeOf(state.cr);
    const { timing } = this.#near;
    const ns = request.kind === 'sector' ? sectorEraseNs(timing, first.size, psize) : massEraseNs(timing, psize);
    state.cr = (state.cr | CR.strt) >>> 0;
    this.#begin({
      kind: 'erase',
      offset: first.offset,
      length,
      ...this.#span(ns),
      banks: request.sectors.reduce((mask, { bank }) => mask | (1 << bank), 0),
      sector: request.kind === 'sector' ? first.index : undefined,
    });
  }

  #storeInto(area: 'main' | 'otp' | 'read-only', offset: number, value: number, width: Width, master: Master): void {
    if (this.state.held) throw new BusFault(offset, 'flash is held in reset');
    this.#awaitIdle(master);
    if (this.state.held) return;
    const errors = storeErrors(this.state.cr, offset, width, this.#refusesStore(area, offset));
    if (errors !== 0 || area === 'read-only') return this.#fail(errors);
    this.#checkConditions();
    const data = Uint8Array.from({ length: width }, (_, i) => (value >>> (8 * i)) & 0xff);
    const bank = area === 'main' ? this.array.sectorAt(offset).bank : 0;
    const span = this.#span(programNs(this.#near.timing, psizeOf(this.state.cr)));
    this.#begin({ kind: 'program', area, offset, data, banks: 1 << bank, ...span });
  }

  #refusesStore(area: 'main' | 'otp' | 'read-only', offset: number): boolean {
    const { options, protection, otp } = this.#near;
    if (area === 'read-only' || protection.blocking) return true;
    if (area === 'main') return options.isWriteProtected(this.array.sectorAt(offset).index);
    return offset < 512 && otp[512 + (offset >>> 5)] !== 0xff;
  }

  #storeOptcr(value: number, master: Master): void {
    const { state } = this;
    if (state.optionLock.stage !== 'open') return;
    if (value & OPTCR.start) this.#awaitIdle(master);
    state.optcr = (value & this.#optionMasks.optcr) >>> 0;
    if (value & OPTCR.start) this.#startOptions();
    if (value & OPTCR.lock) closeLock(state.optionLock);
  }

  #startOptions(): void {
    const { state } = this;
    const write = optionWrite(state, this.#near, this.#optionMasks);
    if (write === undefined) return this.#fail(SR.wrperr);
    const { next, wipeNs } = write;
    const span = this.#span(write.totalNs);
    state.optcr = (state.optcr | OPTCR.start) >>> 0;
    const wipeUntilNs = wipeNs > 0 ? span.startNs + wipeNs : undefined;
    this.#begin({ kind: 'option', next, banks: 3, ...span, wipeUntilNs });
  }

  #checkConditions(): void {
    const psize = psizeOf(this.state.cr);
    const volts = this.#near.supplyVolts();
    const at = REGISTERS_BASE + REG.cr;
    if (this.context.time.hz < MIN_HCLK_HZ) this.context.complain(at, 'flash operation with HCLK below 1 MHz');
    if (psize > widestPsize(volts)) {
      this.context.complain(at, `flash PSIZE ${psize} is too wide for a ${volts} V supply: data may decay`);
    }
  }

  #span(ns: number): { startNs: number; endNs: number } {
    const startNs = this.context.time.now;
    return { startNs, endNs: startNs + ns };
  }
  #begin(operation: Operation): void {
    this.state.operation = operation;
    this.#done.set(operation.endNs);
    this.#updateGate();
    this.#journal(operation, 'start');
  }
  #finish(): void {
    const { operation } = this.state;
    if (operation === undefined) return;
    complete(operation, this.#targets());
    if (operation.kind === 'option') this.#near.protection.optionsWritten();
    noteEnded(this.state, this.array, operation);
    this.#clearOperation();
    if (this.state.cr & CR.eopie) this.state.sr |= SR.eop;
    this.#updateIrq();
    this.#journal(operation, 'end');
  }
  #interrupt(): void {
    if (this.state.operation !== undefined) settleBroken(this.state, this.#targets(), this.context.time.now);
    this.#clearOperation();
  }
  #clearOperation(): void {
    this.state.operation = undefined;
    this.state.cr = (this.state.cr & ~CR.strt) >>> 0;
    this.state.optcr = (this.state.optcr & ~OPTCR.start) >>> 0;
    this.#updateGate();
  }
  #targets() {
    const { otp, options, wipeBackupSram, protection } = this.#near;
    return { array: this.array, otp, options, wipeBackupSram, switches: protection.switches };
  }
  #fail(flags: number): void {
    this.state.sr |= flags | (this.state.cr & CR.errie ? SR.operr : 0);
    this.#updateIrq();
  }
  #updateIrq(): void {
    const { sr, cr } = this.state;
    const level = ((sr & SR.eop) !== 0 && (cr & CR.eopie) !== 0) || ((sr & SR.operr) !== 0 && (cr & CR.errie) !== 0);
    this.context.setIrq(FLASH_IRQ, level);
  }
  #journal(operation: Operation, phase: 'start' | 'end'): void {
    this.onOperation?.({
      kind: operation.kind,
      phase,
      atNs: this.context.time.now,
      address: addressOf(operation),
      sector: operation.kind === 'erase' ? operation.sector : undefined,
    });
  }

  /** A store or CR write during an operation: the core waits, the debugger is told to come again. */
  #awaitIdle(master: Master): void {
    const { operation } = this.state;
    if (operation === undefined) return;
    if (master === 'debugger' || master === 'dma') throw new BusWait(operation.endNs);
    this.state.storeStalls++;
    this.context.stallCore(operation.endNs);
  }

  #updateGate(): void {
    this.gate.closed = needsLook(this.state, this.#near);
  }
  #check(address: number, master: Master): void {
    const { protection, options } = this.#near;
    if (this.state.held) throw new BusFault(address, 'flash is held in reset');
    if (protection.refuses('flash', master)) throw new BusFault(address, 'flash is closed after an intrusion');
    const offset = this.array.offsetOf(address);
    const sector = this.array.sectorAt(offset);
    this.#waitForBank(sector.bank, master);
    if (master === 'fetch') return warnStaleCode(this.state, sector.index, this.context);
    if (options.isPcrop(sector.index)) {
      this.#fail(SR.rderr);
      throw new BusFault(address, 'sector may be fetched only (PCROP)');
    }
    const cycles = waitStates(this.state, this.array, offset);
    if (master === 'cpu') this.context.time.cycles += cycles;
  }
  #waitForBank(bank: number, master: Master): void {
    const { operation } = this.state;
    if (operation === undefined || !bit(operation.banks, bank)) return;
    if (master === 'debugger' || master === 'dma') throw new BusWait(operation.endNs);
    this.state.stalls++;
    this.context.stallCore(operation.endNs);
  }
}
