// Access to the mailbox words and rings, and to nothing else (docs/mailbox.md). An access that fails is repeated,
// within limits.
import { Reader } from '../../../shared/codec/bytes.ts';
import { fail } from '../../../shared/errors/errors.ts';
import {
  ACTIVITIES,
  CONTROL,
  fieldAddress,
  parseStatus,
  type ControlName,
  type Layout,
  type MemoryArea,
  type Status,
} from '../../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../../shared/ports.ts';
import { ERASE_ALL } from '../../../shared/sealed/messages.ts';
import type { StatusCheck } from '../../probe/adi/memory-access.ts';
import type { Probe } from '../../probe/probe.ts';
import { withRetry } from '../../probe/with-retry.ts';
import type { SlotWrite } from './slots.ts';
import { CortexM, type CoreStatus } from '../../target/cortex-m.ts';

/** What the stub says about its work, for people: none of it is authenticated. */
export interface StubWords {
  /** Words programmed so far. */
  readonly words: number;
  /** A value of ACTIVITIES. */
  readonly activity: number;
  /** Sector or range the activity is about. */
  readonly argument: number;
}

const ERASING_EVERYTHING = ACTIVITIES.erasing + ERASE_ALL * 0x100;

/**
 * Longest the erase of everything may keep the stub, milliseconds: it gives up after twice the 32 s of the data sheet
 * at x8, and is given a few seconds more.
 */
export const ERASE_EVERYTHING_MS = 70_000;

export class Mailbox {
  readonly layout: Layout;
  /** What the agent may touch while a stub runs. */
  readonly #areas: readonly MemoryArea[];
  readonly #probe: Probe;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #core: CortexM;

  /** @param layout of the stub that is or will be loaded */
  constructor(layout: Layout, probe: Probe, clock: Clock, log: Log) {
    const { replies, commands, control, job } = layout.memory;
    this.layout = layout;
    this.#areas = [replies, commands, control, job];
    this.#probe = probe;
    this.#clock = clock;
    this.#log = log;
    this.#core = new CortexM(probe, { clock, log });
  }

  /** Absolute address of a field of the control page. */
  addressOf(name: ControlName): number {
    return fieldAddress(this.layout, name);
  }

  /** STATUS taken apart: one command. */
  async status(): Promise<Status> {
    return parseStatus(await this.readWord('STATUS'));
  }

  readWord(name: ControlName): Promise<number> {
    return this.#repeated(() => this.#probe.readWord(this.addressOf(name)));
  }

  writeWord(name: ControlName, value: number): Promise<void> {
    return this.#repeated(() => this.#probe.writeWord(this.addressOf(name), value >>> 0));
  }

  /** All bytes of a field. */
  read(name: ControlName): Promise<Uint8Array> {
    return this.readAt(this.addressOf(name), CONTROL[name].size);
  }

  write(name: ControlName, bytes: Uint8Array): Promise<void> {
    return this.writeAt(this.addressOf(name), bytes);
  }

  /** Bytes of a ring or the job area. @param check unchecked for bytes with their own check, or of little weight */
  async readAt(address: number, length: number, check: StatusCheck = 'checked'): Promise<Uint8Array> {
    this.#requireArea(address, length);
    return this.#repeated(() => this.#probe.readMemory(address, length, undefined, check));
  }

  async writeAt(address: number, bytes: Uint8Array): Promise<void> {
    this.#requireArea(address, bytes.length);
    return this.#repeated(() => this.#probe.writeMemory(address, bytes));
  }

  /**
   * Fills slots, in this order. Only the last write is asked how it went: the stub checks every slot. When it failed,
   * all are written again, each with its status.
   */
  async fill(slots: readonly SlotWrite[]): Promise<void> {
    for (const { address, bytes } of slots) this.#requireArea(address, bytes.length);
    try {
      for (const [index, { address, bytes }] of slots.entries()) {
        const check = index === slots.length - 1 ? 'checked' : 'unchecked';
        await this.#probe.writeMemory(address, bytes, undefined, check);
      }
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'sealed commands did not arrive, writing them again');
      for (const { address, bytes } of slots) await this.writeAt(address, bytes);
    }
  }

  /** WORDS and ACTIVITY, in one command; `unchecked`, without its status, for the bar. */
  async words(check: StatusCheck = 'checked'): Promise<StubWords> {
    const first = this.addressOf('WORDS');
    const reader = new Reader(
      await this.readAt(first, this.addressOf('ACTIVITY') + 4 - first, check),
      'BF-STUB-MAILBOX',
      'words',
    );
    const words = reader.u32();
    reader.bytes(CONTROL.ACTIVITY.offset - CONTROL.VERSION.offset);
    const activity = reader.u32();
    return { words, activity: activity & 0xff, argument: activity >>> 8 };
  }

  /** True while the stub says that it erases everything at once, which may take longer than anything else it does. */
  async erasesEverything(): Promise<boolean> {
    return (await this.readWord('ACTIVITY')) === ERASING_EVERYTHING;
  }

  /** DHCSR: the only register outside the mailbox that is looked at while a stub runs. Reading halts nothing. */
  core(): Promise<CoreStatus> {
    return this.#repeated(() => this.#core.status());
  }

  #requireArea(address: number, length: number): void {
    const inside = this.#areas.some((area) => address >= area.address && address + length <= area.address + area.size);
    if (!inside) throw fail('BF-INTERNAL-ARGUMENT', `${length} bytes at 0x${address.toString(16)} are not mailbox`);
  }

  #repeated<T>(access: () => Promise<T>): Promise<T> {
    return withRetry({ probe: this.#probe, clock: this.#clock, log: this.#log }, access);
  }
}
