/* Fault report. Stack frame layout and status registers after the ARMv7-M exception model. */
#include "fault.h"
#include "print.h"
#include "stm32f427.h"

struct exception_frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

struct flag_name {
    uint8_t bit;
    const char *text;
};

/* CFSR: bits 0-7 memory management, 8-15 bus, 16-31 usage. */
static const struct flag_name cfsr_flags[] = {
    {0, "instruction access violation"},
    {1, "data access violation"},
    {3, "memory fault while unstacking"},
    {4, "memory fault while stacking"},
    {8, "bus error on instruction fetch"},
    {9, "precise bus error"},
    {10, "imprecise bus error"},
    {11, "bus error while unstacking"},
    {12, "bus error while stacking"},
    {16, "undefined instruction"},
    {17, "invalid state (Thumb bit clear)"},
    {18, "invalid return address"},
    {19, "no coprocessor (FPU off)"},
    {24, "unaligned access"},
    {25, "division by zero"},
};

static const char *const system_exception_names[16] = {
    [2] = "NMI",          [3] = "HardFault", [4] = "MemManage",     [5] = "BusFault",
    [6] = "UsageFault",   [11] = "SVCall",   [12] = "DebugMonitor", [14] = "PendSV",
    [15] = "SysTick",
};

static uint32_t exception_number(void) {
    uint32_t ipsr;
    __asm__ volatile("mrs %0, ipsr" : "=r"(ipsr));
    return ipsr & 0x1FF;
}

static void print_exception_name(uint32_t number) {
    if (number < 16 && system_exception_names[number]) {
        print("\r\n*** %s", system_exception_names[number]);
    } else {
        print("\r\n*** interrupt %d", (int)number - 16);
    }
}

static void print_causes(uint32_t cfsr) {
    for (unsigned i = 0; i < sizeof cfsr_flags / sizeof cfsr_flags[0]; i++) {
        if (cfsr & BIT(cfsr_flags[i].bit)) print("  %s\r\n", cfsr_flags[i].text);
    }
}

__attribute__((used, noreturn)) static void report_exception(const struct exception_frame *frame) {
    print_exception_name(exception_number());
    print(" at pc %08x, lr %08x\r\n", frame->pc, frame->lr);
    print("  r0 %08x r1 %08x r2 %08x r3 %08x r12 %08x xpsr %08x\r\n", frame->r0, frame->r1, frame->r2, frame->r3,
          frame->r12, frame->xpsr);
    print("  cfsr %08x hfsr %08x bfar %08x\r\n", SCB_CFSR, SCB_HFSR, SCB_BFAR);
    print_causes(SCB_CFSR);
    for (;;) {
    }
}

/* Naked: the frame must be found before the compiler moves the stack pointer. */
__attribute__((naked)) void unexpected_exception(void) {
    __asm__ volatile("tst lr, #4\n\t"
                     "ite eq\n\t"
                     "mrseq r0, msp\n\t"
                     "mrsne r0, psp\n\t"
                     "b report_exception");
}
