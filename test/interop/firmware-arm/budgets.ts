// What the shipped code costs, against its budgets (docs/reference/crypto.md §2): bytes, cycles of the virtual core,
// painted stack.

import { encodePlan } from '../../../shared/plan/plan.ts';
import { watchStores } from '../../integration/firmware/bus-watch.ts';
import { FirmwareFixture } from '../../integration/firmware/firmware-fixture.ts';
import { SampleImage, smallPlan, writeAll } from '../../integration/firmware/sample-jobs.ts';
import { SealedController } from '../../integration/firmware/sealed-controller.ts';
import nacl from 'tweetnacl';
import { type BoardMachine } from './board-machine.ts';
import { Program, type Step } from './program.ts';
import { variablesOf, type Shipped } from './shipped.ts';

export interface Figure {
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  /** Above this the check fails; undefined: no budget, for information. */
  readonly budget?: number;
  readonly aim?: number;
  readonly how: string;
}

const FRAME = 4096;
const STACK = { top: 0x10010000, limit: 0x1000e000, faults: 1024 } as const;
const PRIVATE = 0x10000000;
const SP = 13;

const byCounter = "virtual core's cycle counter, code and data without wait states";
const byPaint = 'stack painted before the call, deepest byte that changed';

/** A call with its strings in place. */
interface Measured {
  readonly steps: readonly Step[];
  readonly entry: number;
  readonly args: readonly number[];
}

function measured(shipped: Shipped, name: string, args: (p: Program) => readonly number[]): Measured {
  const program = new Program(shipped.functions);
  const given = args(program);
  program.call(name, ...given);
  const call = program.steps.at(-1)!;
  if (call.op !== 'call') throw new Error('not a call');
  return { steps: program.steps.slice(0, -1), entry: call.entry, args: given };
}

function pattern(length: number, salt: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 37 + salt) & 0xff);
}

function x25519(shipped: Shipped): Measured {
  return measured(shipped, 'bf_x25519', (p) => [p.output(32), p.put(pattern(32, 1)), p.put(pattern(32, 2))]);
}
function open(shipped: Shipped): Measured {
  const [nonce, key] = [pattern(24, 3), pattern(32, 4)];
  const box = nacl.secretbox(pattern(FRAME, 5), nonce, key);
  return measured(shipped, 'bf_secretbox_open', (p) => {
    const c = p.put(box);
    return [c + 16, c, box.length, p.put(nonce), p.put(key)];
  });
}
function seal(shipped: Shipped): Measured {
  return measured(shipped, 'bf_secretbox_seal', (p) => {
    const c = p.put(new Uint8Array(FRAME + 16));
    return [c, c + 16, FRAME, p.put(pattern(24, 3)), p.put(pattern(32, 4))];
  });
}
/** One update over whole blocks; the state before it is that of bf_sha512_init. */
function sha512(shipped: Shipped, board: BoardMachine): Measured {
  return measured(shipped, 'bf_sha512_update', (p) => {
    const state = p.structure(512);
    p.call('bf_sha512_init', state);
    board.run(p.steps);
    return [state, p.put(pattern(FRAME, 6)), FRAME];
  });
}
function hmac(shipped: Shipped): Measured {
  return measured(shipped, 'bf_hmac_parts', (p) => {
    const [key, data, parts] = [p.put(pattern(64, 7)), p.put(pattern(100, 8)), p.structure(8)];
    p.write(parts, new Uint8Array(Uint32Array.of(data, 100).buffer));
    return [p.output(64), key, 64, parts, 1];
  });
}
function hkdf(shipped: Shipped): Measured {
  return measured(shipped, 'bf_hkdf_expand', (p) => {
    const [prk, info, parts] = [p.put(pattern(64, 7)), p.put(pattern(40, 8)), p.structure(8)];
    p.write(parts, new Uint8Array(Uint32Array.of(info, 40).buffer));
    return [p.output(64), 64, prk, 64, parts, 1];
  });
}

function cyclesOf(board: BoardMachine, what: Measured): number {
  board.run(what.steps);
  board.call(what.entry, what.args);
  return board.cycles;
}

/** Bytes of stack below the arguments. */
function stackOf(board: BoardMachine, what: Measured): number {
  board.run(what.steps);
  return (
    board.stackOf(() => void board.call(what.entry, what.args)) - ((4 * Math.max(0, what.args.length - 4) + 7) & ~7)
  );
}

/**
 * Bytes of stack in use at the deepest point of a whole flash job up to FINAL, interrupts among them: the lowest SP at
 * any store to the stack. Paint would not do, because the stub clears the unused stack when a handshake is over.
 */
function sessionStack(): number {
  const plan = smallPlan();
  const fixture = new FirmwareFixture();
  const { regs } = fixture.board.core;
  let lowest: number = STACK.top;
  watchStores(fixture.board, STACK.limit, STACK.top, () => (lowest = Math.min(lowest, regs[SP]!)));
  fixture.boot();
  const vendor = new SealedController(fixture, encodePlan(plan));
  vendor.connect();
  const written = writeAll(vendor, plan, new SampleImage(plan));
  if (written.name !== 'WRITTEN') throw new Error(`the job ended with ${written.name}`);
  return STACK.top - lowest;
}

/**
 * Cycles of a handshake's parts, from the command to the message and the state: sums of what the core did, waits for
 * nothing in them.
 */
function handshakeCycles(): Record<'first' | 'again' | 'confirm', number> {
  const fixture = new FirmwareFixture();
  fixture.boot();
  const vendor = new SealedController(fixture, encodePlan(smallPlan()));
  const { time } = fixture.board;
  const last = { at: 0 };
  watchStores(
    fixture.board,
    fixture.addressOf('STATUS'),
    fixture.addressOf('STATUS') + 4,
    () => (last.at = time.cycles),
  );
  const from = (give: () => void): number => {
    const began = time.cycles;
    give();
    fixture.runUntil(() => last.at > began && fixture.control('COMMAND') === 0, 1000, 'handshake');
    return last.at - began;
  };
  const first = from(() => vendor.giveJob());
  const again = from(() => fixture.command('handshake'));
  const m2 = vendor.respond();
  const confirm = from(() => {
    fixture.write(fixture.addressOf('M2'), m2);
    fixture.command('m2');
  });
  return { first, again, confirm };
}

const round = (value: number) => Math.round(value * 100) / 100;

/** Every figure of the shipped stub. */
export function figures(shipped: Shipped, board: BoardMachine): Figure[] {
  const cycles = (what: Measured) => cyclesOf(board, what);
  const perByte = (what: Measured) => round(cyclesOf(board, what) / FRAME);
  const stack = (what: Measured) => stackOf(board, what);
  const handshake = handshakeCycles();
  const byStatus = 'virtual board, 160 MHz: from the command to the STATUS that answers it';
  return [
    {
      what: 'image',
      measured: shipped.image.length,
      unit: 'bytes',
      budget: 14 * 1024,
      how: 'size of the prebuilt file',
    },
    {
      what: 'private memory but the stack',
      measured: variablesOf(shipped.elf).get('bss_end')! - PRIVATE,
      unit: 'bytes',
      budget: STACK.limit - PRIVATE,
      how: 'where the linker ends the variables; the budget is where the stack may begin',
    },
    {
      what: 'X25519',
      measured: cycles(x25519(shipped)),
      unit: 'cycles',
      budget: 1_550_000,
      aim: 700_000,
      how: byCounter,
    },
    {
      what: 'secretbox open, 4 KB in place',
      measured: perByte(open(shipped)),
      unit: 'cycles/byte',
      budget: 28,
      aim: 22,
      how: byCounter,
    },
    {
      what: 'secretbox seal, 4 KB in place',
      measured: perByte(seal(shipped)),
      unit: 'cycles/byte',
      how: byCounter,
    },
    {
      what: 'SHA-512, 4 KB',
      measured: perByte(sha512(shipped, board)),
      unit: 'cycles/byte',
      budget: 130,
      aim: 95,
      how: byCounter,
    },
    { what: 'job to M1, d drawn', measured: handshake.first, unit: 'cycles', how: byStatus },
    { what: 'COMMAND 4 to M1', measured: handshake.again, unit: 'cycles', how: byStatus },
    { what: 'M2 to M3', measured: handshake.confirm, unit: 'cycles', how: byStatus },
    { what: 'HMAC-SHA-512, 100 bytes', measured: cycles(hmac(shipped)), unit: 'cycles', how: byCounter },
    { what: 'stack of X25519', measured: stack(x25519(shipped)), unit: 'bytes', budget: 1536, how: byPaint },
    { what: 'stack of secretbox open', measured: stack(open(shipped)), unit: 'bytes', budget: 1536, how: byPaint },
    { what: 'stack of HKDF-Expand', measured: stack(hkdf(shipped)), unit: 'bytes', budget: 2048, how: byPaint },
    {
      what: 'stack of a whole flash job',
      measured: sessionStack(),
      unit: 'bytes',
      budget: (STACK.top - STACK.limit - STACK.faults) / 2,
      how: 'lowest SP at any store to the stack from boot to FINAL; the budget is half of what the main stack has',
    },
  ];
}
