/*
 * Vector table of crypto-lines for an emulated Cortex-M4; a fault ends the run with a failure
 * (semihosting exit).
 */
#include <stdint.h>

extern void _start(void); /* of the C library */

static void fault(void) {
  register uint32_t op __asm__("r0") = 0x18;        /* SYS_EXIT */
  register uint32_t reason __asm__("r1") = 0x20024; /* internal error */
  __asm__ volatile("bkpt 0xab" : : "r"(op), "r"(reason) : "memory");
  for (;;) {
  }
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[] = {
    (vector)(uintptr_t)0x20400000, _start, fault, fault, fault, fault, fault,
};
