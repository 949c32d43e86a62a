/* Vector table and C start-up, shared by both images. ARMv7-M exception model; interrupt numbers of
 * the STM32F427 (91 of them) after RM0090, "Vector table". */
#include "startup.h"
#include "fault.h"
#include "stm32f427.h"

#define SYSTEM_VECTORS 15 /* exceptions 1 to 15 */
#define INTERRUPTS 91

extern uint32_t stack_top[], data_load[], data_start[], data_end[], bss_start[], bss_end[];

typedef void (*handler)(void);

struct vector_table {
    const void *initial_stack;
    handler system[SYSTEM_VECTORS];
    handler interrupt[INTERRUPTS];
};

/* Plain branches: the report needs LR and SP as the exception left them. */
__attribute__((weak, naked)) void systick_handler(void) { __asm__ volatile("b unexpected_exception"); }
__attribute__((weak, naked)) void usart1_handler(void) { __asm__ volatile("b unexpected_exception"); }

/* Index = exception number - 1; numbers 7 to 10 and 13 are reserved and stay zero. */
__attribute__((section(".vectors"), used)) const struct vector_table vector_table = {
    .initial_stack = stack_top,
    .system =
        {
            [0] = reset_handler,
            [1] = unexpected_exception,  /* NMI */
            [2] = unexpected_exception,  /* HardFault */
            [3] = unexpected_exception,  /* MemManage */
            [4] = unexpected_exception,  /* BusFault */
            [5] = unexpected_exception,  /* UsageFault */
            [10] = unexpected_exception, /* SVCall */
            [11] = unexpected_exception, /* DebugMonitor */
            [13] = unexpected_exception, /* PendSV */
            [14] = systick_handler,
        },
    .interrupt =
        {
            [0 ... USART1_IRQ - 1] = unexpected_exception,
            [USART1_IRQ] = usart1_handler,
            [USART1_IRQ + 1 ... INTERRUPTS - 1] = unexpected_exception,
        },
};

static void copy_initialised_data(void) {
    const uint32_t *from = data_load;
    for (uint32_t *to = data_start; to < data_end; to++) *to = *from++;
}

static void clear_uninitialised_data(void) {
    for (uint32_t *to = bss_start; to < bss_end; to++) *to = 0;
}

void reset_handler(void) {
    copy_initialised_data();
    clear_uninitialised_data();
    SCB_VTOR = (uint32_t)&vector_table;
    barrier();
    main();
}
