/*
 * Calls functions of an image that is loaded at 0x20000000 on QEMU's mps2-an386, by a list of steps at 0x21000000 (made by
 * qemu-machine.ts), and prints the answers through semihosting. No C library: nothing but the image runs between the
 * beginning of a call and its end.
 */
#include <stdint.h>

enum { OP_END, OP_WRITE, OP_FILL, OP_CALL, OP_READ };
enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_EXIT = 0x18 };

#define STEPS ((const uint32_t *)0x21000000u)
#define ROOM 65536u
#define GOOD 0x20026u /* ADP_Stopped_ApplicationExit */
#define BAD 0x20024u  /* ADP_Stopped_InternalError */

static uint8_t answers[ROOM];
static uint32_t used;
static uint32_t console;

static uint32_t semihost(uint32_t operation, uintptr_t argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static void flush(void) {
  uint32_t block[3] = {console, (uint32_t)(uintptr_t)answers, used};
  if (used > 0) semihost(SYS_WRITE, (uintptr_t)block);
  used = 0;
}

static void answer(const volatile uint8_t *p, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) {
    if (used == ROOM) flush();
    answers[used++] = p[i];
  }
}

static void copy(volatile uint8_t *to, const uint8_t *from, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) to[i] = from[i];
}

static void fill(volatile uint8_t *to, uint8_t byte, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) to[i] = byte;
}

/* Calls s[1] with s[2..5] in r0..r3 and s[6..9] on the stack; takes nothing for granted but that SP comes back. */
__attribute__((naked, noinline)) static uint32_t enter(__attribute__((unused)) const uint32_t *s) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, #20\n" /* four arguments, and SP stays a multiple of 8 */
      "ldr r12, [r0, #4]\n"
      "add r1, r0, #24\n"
      "ldm r1, {r4-r7}\n"
      "stm sp, {r4-r7}\n"
      "add r1, r0, #8\n"
      "ldm r1, {r0-r3}\n"
      "blx r12\n"
      "add sp, #20\n"
      "pop {r4-r11, pc}\n");
}

static void call(const uint32_t *s) {
  uint32_t r0 = enter(s);
  answer((const uint8_t *)&r0, sizeof r0);
}

/* Obeys one step and returns the next. */
static const uint32_t *run_step(const uint32_t *s) {
  switch (s[0]) {
    case OP_WRITE:
      copy((volatile uint8_t *)(uintptr_t)s[1], (const uint8_t *)(s + 3), s[2]);
      return s + 3 + (s[2] + 3) / 4;
    case OP_FILL:
      fill((volatile uint8_t *)(uintptr_t)s[1], (uint8_t)s[3], s[2]);
      return s + 4;
    case OP_CALL:
      call(s);
      return s + 10;
    default:
      answer((const volatile uint8_t *)(uintptr_t)s[1], s[2]);
      return s + 3;
  }
}

void caller_main(void) {
  static const char name[] = ":tt";
  uint32_t open[3] = {(uint32_t)(uintptr_t)name, 4, 3};
  console = semihost(SYS_OPEN, (uintptr_t)open);
  for (const uint32_t *s = STEPS; s[0] != OP_END;) s = run_step(s);
  flush();
  semihost(SYS_EXIT, GOOD);
}

void caller_fault(void) {
  semihost(SYS_EXIT, BAD);
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))(uintptr_t)0x20400000, caller_main,  caller_fault, caller_fault,
    caller_fault,                          caller_fault, caller_fault,
};
