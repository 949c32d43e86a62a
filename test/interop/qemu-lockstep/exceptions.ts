// The exceptions part of the lock-step programs: sequences that raise them and one handler for all, which folds what it
// finds (mode, frame, status) into sixteen words of log, repairs the cause and returns.

/** Fault handlers on, SVCall above PendSV and SysTick in priority. */
export const HANDLER_SETUP: readonly string[] = [
  ...['ldr r0, =0xe000ed24', 'mov r1, #0x70000', 'str r1, [r0]'],
  ...['ldr r0, =0xe000ed1c', 'ldr r1, =0x40000000', 'str r1, [r0]'],
  ...['ldr r1, =0xc0800000', 'str r1, [r0, #4]', 'b.w 9f', '.ltorg', '9:'],
];

/**
 * SVC 7 pends PendSV and SysTick, SVC 8 faults in the handler, SVC 9 makes thread mode privileged again, SVC 10 uses
 * the floating-point unit in the handler. A fault skips its instruction, INVSTATE sets the T bit instead.
 */
export const HANDLER: readonly string[] = [
  '.thumb_func',
  'fold:',
  'ldr r2, [r4]',
  'eor.w r2, r1, r2, ror #31',
  'str r2, [r4], #4',
  'bx lr',
  '.thumb_func',
  'handler:',
  'push {r4-r6, lr}',
  'tst lr, #4',
  'ite eq',
  'addeq r0, sp, #16',
  'mrsne r0, psp',
  'ldr r4, =log_base',
  ...['mrs r1, ipsr', 'bl fold'],
  ...['ldr r1, [sp, #12]', 'bl fold'],
  ...Array.from({ length: 8 }, (_, i) => [`ldr r1, [r0, #${i * 4}]`, i === 6 ? 'bl fold_pc' : 'bl fold']).flat(),
  ...['ldr r6, =0xe000ed28', 'ldr r5, [r6]', 'mov r1, r5', 'bl fold'],
  ...['ldr r1, [r6, #4]', 'bl fold'],
  // FPCCR's LSPACT, USER and THREAD.
  ...['ldr r1, =0xe000ef34', 'ldr r1, [r1]', 'and r1, #11', 'bl fold'],
  // CONTROL before anything here touches the unit.
  ...['add r4, #8', 'mrs r1, control', 'bl fold', 'sub r4, #12'],
  'mrs r2, ipsr',
  'subs r1, r2, #3',
  'cmp r1, #3',
  'bhi 2f',
  ...['str r5, [r6]', 'ldr r1, [r6, #4]', 'str r1, [r6, #4]'],
  'tst r5, #0x20000',
  'beq 1f',
  ...['ldr r1, [r0, #28]', 'orr r1, #0x1000000', 'str r1, [r0, #28]', 'b 3f'],
  ...['1:', 'ldr r1, [r0, #24]', 'ldrh r2, [r1]', 'lsrs r2, r2, #11', 'cmp r2, #0x1d'],
  ...['ite hs', 'addhs r1, #4', 'addlo r1, #2', 'str r1, [r0, #24]', 'b 3f'],
  ...['2:', 'cmp r2, #11', 'bne 3f', 'ldr r1, [r0, #24]', 'ldrb r1, [r1, #-2]'],
  ...['cmp r1, #7', 'bne 4f', 'ldr r2, =0xe000ed04', 'mov r1, #0x14000000', 'str r1, [r2]', 'b 3f'],
  ...['4:', 'cmp r1, #8', 'bne 5f', 'udf #1', 'b 3f'],
  ...['5:', 'cmp r1, #9', 'bne 6f', 'mrs r1, control', 'bic r1, #1', 'msr control, r1', 'b 3f'],
  // The interrupted code's S0-S15 and FPSCR reach the frame now; the handler's own context starts from FPDSCR.
  ...['6:', 'cmp r1, #10', 'bne 3f', 'vmrs r1, fpscr', 'bl fold', 'vadd.f32 s3, s3, s3', 'vmov.f32 s0, #1.0'],
  ...['ldr r1, [sp, #12]', 'tst r1, #16', 'bne 3f'],
  ...Array.from({ length: 17 }, (_, i) => [`ldr r1, [r0, #${32 + i * 4}]`, 'bl fold', 'subs r4, #4']).flat(),
  '3:',
  'pop {r4-r6, pc}',
  // Where an interrupt lands differs by when it is looked for; where a fault or a call lands does not.
  '.thumb_func',
  'fold_pc:',
  'mrs r2, ipsr',
  'cmp r2, #12',
  'bls fold',
  'movs r1, #0',
  'b fold',
  '.ltorg',
];

const ICSR = 'ldr r8, =0xe000ed04';
/** CCR: sets `bits` around `body`. */
function withCcr(bits: number, body: string): string {
  const on = `ldr r8, =0xe000ed14\n\tldr r9, [r8]\n\torr r9, #${bits}\n\tstr r9, [r8]\n\tdsb\n\tisb`;
  const off = `ldr r8, =0xe000ed14\n\tldr r9, [r8]\n\tbic r9, #${bits}\n\tstr r9, [r8]\n\tdsb\n\tisb`;
  return `${on}\n\t${body}\n\t${off}`;
}
/** Thread mode on the process stack around `body`. */
function onProcessStack(body: string): string {
  const on = 'mov r8, sp\n\tsub r8, #512\n\tmsr psp, r8\n\tmrs r8, control\n\torr r8, #2\n\tmsr control, r8\n\tisb';
  return `${on}\n\t${body}\n\tmrs r8, control\n\tbic r8, #2\n\tmsr control, r8\n\tisb`;
}

export const SYSTEM_SEQUENCES: readonly string[] = [
  'svc #{i:0:6}',
  'svc #7\n\tnop\n\tadds {lod}, {lon}, #1',
  'svc #8',
  'svc #10',
  'sub sp, #4\n\tsvc #1\n\tadd sp, #4',
  'sub sp, #4\n\tsvc #10\n\tadd sp, #4',
  'cmp {n}, {m}\n\tittee ne\n\tsvcne #2\n\taddne {d}, {n}, {m}\n\tsvceq #3\n\teoreq {d}, {n}, {m}',
  `${ICSR}\n\tmov r9, #0x10000000\n\tcpsid i\n\tstr r9, [r8]\n\tcpsie i\n\tnop`,
  `${ICSR}\n\tmov r9, #0x04000000\n\tcpsid i\n\tstr r9, [r8]\n\tadds {lod}, {lon}, {lom}\n\tcpsie i\n\tnop`,
  `${ICSR}\n\tmov r9, #0x14000000\n\tcpsid i\n\tstr r9, [r8]\n\tcpsie i\n\tnop`,
  `${ICSR}\n\tmov r9, #0x10000000\n\tmovs r7, #0x60\n\tmsr basepri, r7\n\tstr r9, [r8]\n\tsvc #3\n\tmovs r7, #0\n\tmsr basepri, r7\n\tnop`,
  `${ICSR}\n\tmov r9, #0x18000000\n\tcpsid i\n\tmov r7, #0x10000000\n\tstr r7, [r8]\n\tmov r7, #0x08000000\n\tstr r7, [r8]\n\tcpsie i\n\tnop`,
  'udf #{i:0:255}',
  'udf.w #{i:0:65535}',
  'mcr p15, 0, {n}, c1, c0, 0',
  'mrc p5, 2, {n}, c1, c3, 1',
  'cdp p7, 1, c2, c3, c4, 5',
  'ldrd {d}, {e}, [r10, #4]\n\tadd r8, r10, #1\n\tldrd r0, r1, [r8]\n\tmovs r8, #0',
  'add r8, r10, #2\n\tldmia r8, {{r0, r1}}\n\tstmia r8, {{r2, r3}}\n\tmovs r8, #0',
  // A misaligned STREX without reservation may fault or fail (ARMv7-M A3.4.5), so only the load is tried.
  'add r8, r10, #3\n\tldrex r9, [r8]\n\tmovs r8, #0',
  'add r8, r10, #1\n\tldrexh r9, [r8]\n\tmovs r8, #0',
  'add r8, r10, #2\n\tvldr s3, [r8]\n\tvstr s4, [r8]\n\tvldmia r8, {{s5-s7}}\n\tmovs r8, #0',
  withCcr(16, 'movs r7, #0\n\tudiv {d}, {n}, r7\n\tsdiv {e}, {m}, r7'),
  withCcr(8, 'ldr {d}, [r10, #1]\n\tstrh {n}, [r10, #3]\n\tldrh {d}, [r10, #-3]\n\tldr {e}, [r10, #4]'),
  'adr r8, 1f\n\tbx r8\n\t.align 2\n1:\tnop',
  'adr r8, 1f\n\tblx r8\n\t.align 2\n1:\tnop\n\tmovs r8, #4',
  'ldr r8, =0x30000000\n\tldr {d}, [r8, #{i4:9}]\n\tadds {lod}, {lon}, #3',
  'ldr r8, =0x30000000\n\tldmia r8!, {{r0, r1, r2}}\n\tmovs r8, #0',
  'cpsid i\n\tsvc #1\n\tnop\n\tcpsie i',
  'cpsid i\n\tudf #3\n\tnop\n\tcpsie i',
  'movs r7, #0x20\n\tmsr basepri, r7\n\tsvc #4\n\tnop\n\tmovs r7, #0\n\tmsr basepri, r7',
  // Four priority bits on the F4, eight on QEMU's board: the low ones stay zero.
  'movs r7, #{i:0:15}\n\tlsls r7, #4\n\tmsr basepri, r7\n\tmrs {d}, basepri\n\tmovs r6, #{i:0:15}\n\tlsls r6, #4\n\tmsr basepri_max, r6\n\tmrs {e}, basepri\n\tmovs r6, #0\n\tmsr basepri, r6',
  'cpsid i\n\tmrs {d}, primask\n\tcpsid f\n\tmrs {e}, faultmask\n\tcpsie f\n\tcpsie i\n\tmrs {d}, faultmask',
  onProcessStack('svc #{i:0:6}\n\tnop'),
  onProcessStack('svc #7\n\tnop\n\tmrs r9, xpsr'),
  onProcessStack('svc #8\n\tnop'),
  onProcessStack('sub sp, #4\n\tsvc #10\n\tadd sp, #4'),
  onProcessStack('udf #9\n\tvadd.f32 {fd}, {fn}, {fm}\n\tsvc #10'),
  'mrs r8, control\n\torr r8, #1\n\tmsr control, r8\n\tisb\n\tmrs r9, primask\n\tldr r7, =0xe000ed00\n\tldr r7, [r7]\n\tcpsid i\n\tmsr basepri, r8\n\tsvc #9\n\tmrs r8, primask\n\tmovs r7, #0',
  // Without a floating-point context: a basic frame, then a context opened by the handler's caller again.
  'mrs r8, control\n\tbic r8, #4\n\tmsr control, r8\n\tisb\n\tsvc #10\n\tmrs r9, control\n\tvldmia r10, {{s0-s15}}\n\tmov r8, #0\n\tvmsr fpscr, r8',
  // The unit switched off: NOCP.
  'ldr r8, =0xe000ed88\n\tmovs r9, #0\n\tstr r9, [r8]\n\tdsb\n\tisb\n\tvadd.f32 {fd}, {fn}, {fm}\n\tvmov {d}, {fn}\n\tmov r9, #0xf00000\n\tstr r9, [r8]\n\tdsb\n\tisb',
  // Stacked at once instead of lazily.
  'ldr r8, =0xe000ef34\n\tmov r9, #0x80000000\n\tstr r9, [r8]\n\tdsb\n\tsvc #10\n\tmov r9, #0xc0000000\n\tstr r9, [r8]\n\tdsb\n\tmov r8, #0',
  // Default modes of a new context.
  'ldr r8, =0xe000ef3c\n\tmov r9, #{i:0:31}\n\tlsl r9, #22\n\tstr r9, [r8]\n\tdsb\n\tsvc #10\n\tmovs r9, #0\n\tstr r9, [r8]\n\tmovs r8, #0',
];
