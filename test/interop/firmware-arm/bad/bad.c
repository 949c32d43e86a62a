/*
 * Deliberately bad: each of these tells its secret by time. They are built for the checks of test:stub only, to show that the
 * checks see what they are for. `fine` is the control: the same kind of work done right.
 */
#include <stdint.h>

void fine(uint8_t out[32], const uint8_t secret[32]);
void bad_branch(uint8_t out[32], const uint8_t secret[32]);
void bad_index(uint8_t out[32], const uint8_t secret[32]);
void bad_divisor(uint8_t out[32], const uint8_t secret[32]);

static uint8_t substitute(uint32_t x) {
  return (uint8_t)((x * 197u + 99u) ^ x >> 3);
}

/* Selects by mask, as firmware/common/crypto does. */
void fine(uint8_t out[32], const uint8_t secret[32]) {
  for (int i = 0; i < 32; i++) {
    uint32_t mask = 0u - (uint32_t)(secret[i] & 1);
    __asm__("" : "+r"(mask));
    out[i] = (uint8_t)((0x5au & mask) | (0xa5u & ~mask));
  }
}

/* Stops at the first byte that differs, as memcmp does. */
void bad_branch(uint8_t out[32], const uint8_t secret[32]) {
  uint8_t same = 0;
  while (same < 32 && secret[same] == out[same]) same++;
  out[0] = same;
}

/* A substitution box in memory. */
void bad_index(uint8_t out[32], const uint8_t secret[32]) {
  volatile uint8_t table[256];
  for (uint32_t i = 0; i < 256; i++) table[i] = substitute(i);
  for (int i = 0; i < 32; i++) out[i] = table[secret[i]];
}

/* Reduces by a secret modulus. */
void bad_divisor(uint8_t out[32], const uint8_t secret[32]) {
  for (uint32_t i = 0; i < 32; i++) out[i] = (uint8_t)(0x12345678u / (secret[i] + 1u));
}
