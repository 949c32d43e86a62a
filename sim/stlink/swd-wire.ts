// The probe's end of the wire: single transfers with their clocks, WAIT repeats, SELECT kept in mind, statuses.
// docs: docs/reference/stlink.md §2.4 ("WAIT"), §6.2; ADIv5 for the transfers.
import type { Ack, SwDp, SwdReply } from '../dap/sw-dp.ts';
import { DP_REGISTER } from '../dap/sw-dp.ts';
import type { CostModel } from './cost.ts';
import { wireNs } from './cost.ts';
import { STATUS } from './opcodes.ts';
import type { Status } from './opcodes.ts';
import type { Steps } from './steps.ts';

/** One transfer as it went over the wire. */
export interface SwdRecord {
  readonly port: 'dp' | 'ap';
  readonly write: boolean;
  /** 0, 4, 8 or 12. */
  readonly address: number;
  /** Data carried, by whichever side drove it; 0 when refused. */
  readonly value: number;
  readonly ack: Ack;
}

/** Outcome of an operation made of transfers. */
export interface WireResult {
  readonly status: Status;
  readonly value: number;
}

const STATUS_OF_ACK = {
  ap: { ok: STATUS.ok, wait: STATUS.apWait, fault: STATUS.apFault, none: STATUS.apError },
  dp: { ok: STATUS.ok, wait: STATUS.dpWait, fault: STATUS.dpFault, none: STATUS.dpError },
} as const satisfies Record<'ap' | 'dp', Record<Ack, Status>>;

const CLEAR_STICKY = 0x1e;
const POWER_UP = 0x50000000;
const POWERED = 0xa0000000;
const POWER_UP_POLLS = 100;

export class SwdWire {
  /** SWD clock, kHz. Outlives sessions. */
  kHz: number;
  /** A transfer was refused with FAULT and nobody has cleared the sticky flags through this firmware since. */
  dirty = false;
  readonly #dp: SwDp;
  readonly #model: CostModel;
  readonly #now: () => number;
  readonly #tap: ((record: SwdRecord) => void) | undefined;
  #select: number | undefined;
  #at = 0;

  constructor(dp: SwDp, model: CostModel, kHz: number, now: () => number, tap?: (record: SwdRecord) => void) {
    this.#dp = dp;
    this.#model = model;
    this.kHz = kHz;
    this.#now = now;
    this.#tap = tap;
  }

  /** Starts accounting at the board's present time. */
  begin(): void {
    this.#at = this.#now();
  }

  /** Lets `ns` of board time pass. */
  *pass(ns: number): Steps<void> {
    this.#at = Math.max(this.#at, this.#now()) + ns;
    yield this.#at;
  }

  /** One transfer, repeated while the port answers WAIT and patience lasts. */
  *transfer(port: 'dp' | 'ap', write: boolean, address: number, value = 0): Steps<SwdReply> {
    const header = wireNs(this.#model.clocksPerRefusal, this.kHz);
    for (let repeats = 0; ; repeats++) {
      this.#at += header;
      yield this.#at;
      const reply = write ? this.#dp.write(port, address, value) : this.#dp.read(port, address);
      this.#tap?.({ port, write, address, value: write ? value : reply.value, ack: reply.ack });
      if (reply.ack !== 'wait' || repeats >= this.#model.waitRetries) return this.#finished(reply);
    }
  }

  #finished(reply: SwdReply): SwdReply {
    if (reply.ack === 'ok') this.#at += wireNs(this.#model.clocksPerTransfer - this.#model.clocksPerRefusal, this.kHz);
    if (reply.ack === 'fault') this.dirty = true;
    return reply;
  }

  /** Line reset, switch sequence and DPIDR. */
  *connect(): Steps<WireResult> {
    yield* this.pass(wireNs(this.#model.clocksPerLineReset, this.kHz));
    this.#select = undefined;
    this.#dp.lineReset();
    return yield* this.readDp(DP_REGISTER.dpidr);
  }

  /** Clears leftovers and asks for debug and system power. */
  *powerUp(): Steps<Status> {
    yield* this.clearSticky();
    yield* this.writeDp(DP_REGISTER.ctrlStat, POWER_UP);
    for (let polls = 0; polls < POWER_UP_POLLS; polls++) {
      const state = yield* this.readDp(DP_REGISTER.ctrlStat);
      if (state.status !== STATUS.ok) return state.status;
      if ((state.value & POWERED) === POWERED >> 0) return STATUS.ok;
    }
    return STATUS.dpError;
  }

  /** Forgets an earlier FAULT, if there was one, before the firmware's own next access. */
  *settle(): Steps<void> {
    if (this.dirty) yield* this.clearSticky();
  }

  *clearSticky(): Steps<void> {
    this.dirty = false;
    yield* this.transfer('dp', true, DP_REGISTER.abort, CLEAR_STICKY);
  }

  /** Reads a DP register; bits 7:4 of `register` are the bank. */
  *readDp(register: number): Steps<WireResult> {
    const banked = yield* this.#bank(register);
    if (banked !== STATUS.ok) return { status: banked, value: 0 };
    const reply = yield* this.transfer('dp', false, register & 0xc);
    return { status: STATUS_OF_ACK.dp[reply.ack], value: reply.value };
  }

  /** Writes a DP register; bits 7:4 of `register` are the bank. */
  *writeDp(register: number, value: number): Steps<Status> {
    const banked = yield* this.#bank(register);
    if (banked !== STATUS.ok) return banked;
    const reply = yield* this.transfer('dp', true, register & 0xc, value);
    if ((register & 0xc) === DP_REGISTER.select) this.#select = reply.ack === 'ok' ? value : undefined;
    return STATUS_OF_ACK.dp[reply.ack];
  }

  /** Reads an AP register and fetches its posted value. */
  *readAp(ap: number, register: number): Steps<WireResult> {
    const posted = yield* this.startAp(ap, register, false);
    if (posted.status !== STATUS.ok) return posted;
    const reply = yield* this.transfer('dp', false, DP_REGISTER.rdbuff);
    return { status: STATUS_OF_ACK.ap[reply.ack], value: reply.value };
  }

  /** Writes an AP register and waits until the write has gone through. */
  *writeAp(ap: number, register: number, value: number): Steps<Status> {
    const posted = yield* this.startAp(ap, register, true, value);
    if (posted.status !== STATUS.ok) return posted.status;
    const reply = yield* this.transfer('dp', false, DP_REGISTER.rdbuff);
    return STATUS_OF_ACK.ap[reply.ack];
  }

  /** One AP transfer without waiting for its outcome; a read returns the value posted before it. */
  *startAp(ap: number, register: number, write: boolean, value = 0): Steps<WireResult> {
    const select = ((ap << 24) | (register & 0xf0)) >>> 0;
    if (select !== this.#select) {
      const chosen = yield* this.writeDp(DP_REGISTER.select, select);
      if (chosen !== STATUS.ok) return { status: chosen === STATUS.dpFault ? STATUS.apFault : chosen, value: 0 };
    }
    const reply = yield* this.transfer('ap', write, register & 0xc, value);
    return { status: STATUS_OF_ACK.ap[reply.ack], value: reply.value };
  }

  /** Makes SELECT show the bank of DP register 4 that is asked for. */
  *#bank(register: number): Steps<Status> {
    if ((register & 0xc) !== DP_REGISTER.ctrlStat) return STATUS.ok;
    const bank = (register >> 4) & 0xf;
    const current = this.#select;
    if (current !== undefined && (current & 0xf) === bank) return STATUS.ok;
    return yield* this.writeDp(DP_REGISTER.select, (((current ?? 0) & ~0xf) | bank) >>> 0);
  }
}
