// A call that is remembered leaves registers, memory and time as the call itself does; what is not the same call is
// played.
import assert from 'node:assert/strict';
import { type PureFunction, RememberedCalls } from '../../../../sim/cpu/remembered-calls.ts';
import { Machine, RAM } from './machine.ts';

const [OUT, A, B, STACK] = [RAM + 0x100, RAM + 0x120, RAM + 0x140, RAM + 0x800];
const CALLER = RAM + 0x2000;
const BACK = CALLER + 4;
const FUNCTION = CALLER + 0x100;
/** bl FUNCTION; b . */
const CALL = [0xf000, 0xf87e, 0xe7fe];
/** push {r4,lr}; sub sp,#8; [r0] = [sp+4] = [r1] * [r2]; r0 = 100, counted down; add sp,#8; pop {r4,pc} */
const MULTIPLY = [0xb510, 0xb082, 0x680b, 0x6814, 0x4363, 0x9301, 0x6003, 0x2064, 0x3801, 0xd1fd, 0xb002, 0xbd10];
/** The same with adds in place of muls. */
const ADD = MULTIPLY.map((halfword) => (halfword === 0x4363 ? 0x191b : halfword));

/** The same with ldr r3,[sp] in place of ldr r3,[r1]. */
const READ_BELOW = MULTIPLY.map((halfword) => (halfword === 0x680b ? 0x9b00 : halfword));

const calls = (halfwords = MULTIPLY): RememberedCalls => {
  const of: PureFunction = {
    entry: FUNCTION,
    program: { address: FUNCTION, bytes: new Uint8Array(Uint16Array.from(halfwords).buffer) },
    inputs: [
      [1, 4],
      [2, 4],
    ],
    output: [0, 4],
    stackBytes: 64,
  };
  return new RememberedCalls(of);
};

function machineWith(inputs: readonly [number, number], remembered?: RememberedCalls, program = MULTIPLY): Machine {
  const machine = new Machine();
  if (remembered !== undefined) machine.core.remembered = remembered;
  machine
    .place(CALLER, ...CALL)
    .place(FUNCTION, ...program)
    .start();
  const { regs } = machine.core;
  regs[15] = CALLER;
  [regs[0], regs[1], regs[2], regs[4], regs[13]] = [OUT, A, B, 0x44, STACK];
  machine.write(A, inputs[0]);
  machine.write(B, inputs[1]);
  return machine;
}

/** Runs to the end of the call, cycle by cycle; everything that is left of it. */
function leftBy(machine: Machine): { cycles: number; regs: number[]; xpsr: number; words: number[] } {
  while (machine.core.regs[15] !== BACK) {
    assert.ok(machine.time.cycles < 2000);
    machine.run(1);
  }
  const words = Array.from({ length: 32 }, (_, i) => machine.read(STACK - 4 * i)).concat(machine.read(OUT));
  return { cycles: machine.time.cycles, regs: [...machine.core.regs], xpsr: machine.core.xpsr, words };
}

describe('remembered calls', () => {
  it('leave what the call leaves, after as many cycles, when they are played and when they are repeated', () => {
    const remembered = calls();
    const plain = leftBy(machineWith([6, 7]));
    assert.equal(plain.words.at(-1), 42);
    assert.deepEqual(leftBy(machineWith([6, 7], remembered)), plain);
    assert.deepEqual(leftBy(machineWith([6, 7], remembered)), plain);
    assert.deepEqual([remembered.played, remembered.repeated], [1, 1]);
  });

  it('are played for other input and other registers', () => {
    const remembered = calls();
    leftBy(machineWith([6, 7], remembered));
    assert.equal(leftBy(machineWith([6, 8], remembered)).words.at(-1), 48);
    const registers = machineWith([6, 7], remembered);
    registers.core.regs[4] = 0x45;
    assert.equal(leftBy(registers).regs[4], 0x45);
    assert.deepEqual([remembered.played, remembered.repeated], [3, 0]);
  });

  it('leave what they do not write below the stack pointer as it is', () => {
    const remembered = calls();
    leftBy(machineWith([6, 7], remembered));
    const stacks = [undefined, remembered].map((of) => {
      const machine = machineWith([6, 7], of);
      for (let place = 4; place <= 64; place += 4) machine.write(STACK - place, 0x01010101 * place);
      return leftBy(machine);
    });
    assert.deepEqual(stacks[1], stacks[0]);
    assert.equal(stacks[0]!.words[10], 0x01010101 * 40);
    assert.deepEqual([remembered.played, remembered.repeated], [1, 1]);
  });

  it('refuse a function that reads what it did not write', () => {
    const remembered = calls(READ_BELOW);
    assert.throws(() => leftBy(machineWith([6, 7], remembered, READ_BELOW)), /not a pure one/);
  });

  it('are none in another program', () => {
    const remembered = calls();
    leftBy(machineWith([6, 7], remembered));
    assert.equal(leftBy(machineWith([6, 7], remembered, ADD)).words.at(-1), 13);
    assert.deepEqual([remembered.played, remembered.repeated], [1, 0]);
  });

  it('are played instruction by instruction for a debugger that steps', () => {
    const remembered = calls();
    leftBy(machineWith([6, 7], remembered));
    const machine = machineWith([6, 7], remembered);
    const DHCSR = 0xe000edf0;
    machine.write(DHCSR, 0xa05f0003);
    const visited: number[] = [];
    for (let i = 0; i < 4; i++) {
      machine.write(DHCSR, 0xa05f0005);
      machine.run(40);
      visited.push(machine.core.regs[15]!);
    }
    assert.deepEqual(visited, [FUNCTION, FUNCTION + 2, FUNCTION + 4, FUNCTION + 6]);
  });

  it('that a reset ends are not gone on with', () => {
    const remembered = calls();
    const plain = leftBy(machineWith([6, 7], remembered));
    const machine = machineWith([6, 7], remembered);
    machine.run(50);
    assert.equal(machine.core.regs[15], FUNCTION);
    const before = machine.time.cycles;
    machine.core.restore(machineWith([6, 7]).core.snapshot());
    assert.equal(leftBy(machine).cycles - before, plain.cycles);
  });
});
