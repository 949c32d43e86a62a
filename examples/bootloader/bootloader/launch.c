/* The jump into the application. Armv7-M (DDI0403 B1.5): VTOR, then MSP, then the reset vector. */
#include "launch.h"
#include "console.h"
#include "handoff.h"
#include "led.h"
#include "stm32f427.h"
#include "tick.h"

static void quiet_interrupts(void) {
    /* Disable everything first: what is pending then cannot come back. */
    for (unsigned i = NVIC_WORDS; i-- > 0;) NVIC_ICER(i) = UINT32_MAX;
    for (unsigned i = NVIC_WORDS; i-- > 0;) NVIC_ICPR(i) = UINT32_MAX;
}

static void leave_note(const struct image_header *header, uint32_t reset_flags) {
    handoff.magic = HANDOFF_MAGIC;
    handoff.reset_flags = reset_flags;
    handoff.boot_millis = tick_now();
    handoff.body_crc32 = header->body_crc32;
}

/* Both values arrive in registers: a load into SP from memory is avoided on this core revision. */
__attribute__((naked, noreturn)) static void enter(uint32_t stack __attribute__((unused)),
                                                   uint32_t entry __attribute__((unused))) {
    __asm__ volatile("msr msp, r0\n\t"
                     "isb\n\t"
                     "cpsie i\n\t"
                     "bx r1");
}

_Noreturn void launch(const struct image_header *header, uint32_t reset_flags) {
    const volatile uint32_t *vectors = (const volatile uint32_t *)header->body_address;
    console_drain();
    leave_note(header, reset_flags);
    led_set(false);
    interrupts_off();
    tick_stop();
    quiet_interrupts();
    SCB_VTOR = header->body_address;
    barrier();
    enter(vectors[0], vectors[1]);
}
