/* How a program on a judge's core gives its results and ends: Arm semihosting, operations SYS_OPEN ":tt" for writing, SYS_WRITE, SYS_EXIT. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stddef.h>
#include <stdint.h>

static inline uintptr_t semihosting(uintptr_t operation, uintptr_t argument) {
  register uintptr_t r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static inline __attribute__((noreturn)) void semihosting_give(const void *bytes, size_t size) {
  static const char tty[] = ":tt";
  uintptr_t arguments[3] = {(uintptr_t)tty, 4, 3};
  arguments[0] = semihosting(1, (uintptr_t)arguments);
  arguments[1] = (uintptr_t)bytes;
  arguments[2] = size;
  (void)semihosting(5, (uintptr_t)arguments);
  (void)semihosting(0x18, 0x20026);
  for (;;) {
  }
}

#endif
