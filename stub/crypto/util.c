/* Wipe, compare and copy: see util.h. */
#include "util.h"

typedef uint32_t __attribute__((may_alias)) any_word;

void bf_wipe(void *p, size_t len) {
  volatile uint8_t *b = p;
  while (len > 0 && ((uintptr_t)b & 3u) != 0) {
    *b++ = 0;
    len--;
  }
  volatile any_word *w = (volatile any_word *)(uintptr_t)b;
  for (; len >= 4; len -= 4) *w++ = 0;
  b = (volatile uint8_t *)w;
  while (len-- > 0) *b++ = 0;
}

BF_NOINLINE void bf_wipe_stack(void) {
  uint32_t dead[BF_STACK_BURN / 4];
  bf_wipe(dead, sizeof dead);
}

int bf_equal(const uint8_t *a, const uint8_t *b, size_t len) {
  uint32_t diff = 0;
  for (size_t i = 0; i < len; i++) diff |= (uint32_t)(a[i] ^ b[i]);
  return (int)((bf_opaque(diff) - 1u) >> 31);
}

BF_NO_LIBC_CALLS void bf_copy(uint8_t *dst, const uint8_t *src, size_t len) {
  for (; len >= 4; len -= 4, dst += 4, src += 4) bf_store_le32(dst, bf_load_le32(src));
  for (; len > 0; len--) *dst++ = *src++;
}
