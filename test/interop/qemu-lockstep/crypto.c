/* The stub's primitives as the stub is compiled, on deterministic noise: every call leaves its output and the registers
   at its return in `result`, which the emulators must fill alike. */
#include <stddef.h>
#include <stdint.h>

#include "secretbox.h"
#include "semihosting.h"
#include "sha512.h"
#include "x25519.h"

enum { CALLS = 12, OUTPUT = 256 };

static struct {
  uint32_t calls;
  struct {
    uint32_t registers[14]; /* r0-r12, APSR */
    uint8_t output[OUTPUT];
  } call[CALLS];
} result __attribute__((section(".result"), used));

static uint32_t noise_state = 1;
static uint8_t input[512];

static void refill(void) {
  for (size_t i = 0; i < sizeof input; i++) input[i] = (uint8_t)((noise_state = noise_state * 1664525u + 1013904223u) >> 24);
}

typedef struct {
  uintptr_t function;
  uintptr_t argument[6];
} order;

/* Calls order->function with six arguments and stores r0-r12 and APSR as they are at its return. */
__attribute__((naked, noinline)) static void call(uint32_t *registers, const order *o) {
  (void)registers;
  (void)o;
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n"
      "ldr r12, [r1]\n"
      "ldr r4, [r1, #20]\n"
      "ldr r5, [r1, #24]\n"
      "push {r4, r5}\n"
      "ldr r0, [r1, #4]\n"
      "ldr r2, [r1, #12]\n"
      "ldr r3, [r1, #16]\n"
      "ldr r1, [r1, #8]\n"
      "blx r12\n"
      "push {r12}\n"
      "ldr r12, [sp, #12]\n"
      "stmia r12!, {r0-r11}\n"
      "pop {r0}\n"
      "str r0, [r12], #4\n"
      "mrs r0, apsr\n"
      "str r0, [r12]\n"
      "add sp, #8\n"
      "pop {r0, r4-r11, pc}\n");
}

static void run(void *function, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f) {
  order o = {(uintptr_t)function, {a, b, c, d, e, f}};
  call(result.call[result.calls].registers, &o);
  result.calls++;
}

#define AT(n) ((uintptr_t)(input + (n)))
#define OUT ((uintptr_t)result.call[result.calls].output)

static void all(void) {
  static const size_t lengths[] = {0, 1, 111, 112, 200};
  refill();
  run(bf_x25519_base, OUT, AT(0), 0, 0, 0, 0);
  refill();
  run(bf_x25519, OUT, AT(0), AT(32), 0, 0, 0);
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    refill();
    run(bf_sha512_once, OUT, AT(1), lengths[i], 0, 0, 0);
  }
  refill();
  run(bf_secretbox_seal, OUT, AT(64), 199, AT(0), AT(32), 0);
  uintptr_t sealed = (uintptr_t)result.call[result.calls - 1].output;
  run(bf_secretbox_open, OUT, sealed, 199 + BF_BOX_TAG, AT(0), AT(32), 0);
  run(bf_secretbox_open, OUT, sealed, 198 + BF_BOX_TAG, AT(0), AT(32), 0);
  refill();
  bf_part parts[] = {{input + 3, 77}, {NULL, 0}, {input + 100, 130}};
  run(bf_hmac_parts, OUT, AT(300), 150, (uintptr_t)parts, 3, 0);
  run(bf_hkdf_expand, OUT, 64, AT(0), 64, (uintptr_t)parts, 3);
}

/* The lock-step counts end here. */
__attribute__((noinline, used)) void finish(void) {
  semihosting_give(&result, sizeof result);
}

__attribute__((noreturn)) void reset(void) {
  all();
  finish();
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[8] = {
    0x20008000, (uintptr_t)reset, 0, 0, 0, 0, 0, (uintptr_t)finish,
};
