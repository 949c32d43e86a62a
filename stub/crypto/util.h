/*
 * The few bytes-and-words helpers every primitive needs: wipe, constant-time compare, copy, load and store.
 *
 * Nothing here asks for alignment: words are put together from bytes, which the compiler turns into one LDR or STR
 * where the core allows unaligned access (Cortex-M4 does), and never into LDRD or LDM, which would fault.
 */
#ifndef BF_CRYPTO_UTIL_H
#define BF_CRYPTO_UTIL_H

#include <stddef.h>
#include <stdint.h>

/* Marks what only tests may name. Production builds make it static, so that it can be inlined or dropped. */
#ifdef BF_EXPOSE_INTERNALS
#define BF_INTERNAL
#else
#define BF_INTERNAL static
#endif

#if defined(__GNUC__) && !defined(__clang__)
/* gcc's first scheduling pass lengthens live ranges: 17-30 % slower on code with 14 and more live words. */
#define BF_NO_SCHEDULE __attribute__((optimize("no-schedule-insns")))
/* Keeps byte loops from becoming calls of memcpy or memset, which a freestanding stub does not have. */
#define BF_NO_LIBC_CALLS __attribute__((optimize("no-tree-loop-distribute-patterns")))
/* Inner loops: for time where everything else is for size. */
#define BF_FAST __attribute__((optimize("O2", "no-schedule-insns", "no-tree-loop-distribute-patterns")))
#else
#define BF_FAST
#define BF_NO_SCHEDULE
#define BF_NO_LIBC_CALLS
#endif

#define BF_INLINE static inline __attribute__((always_inline))
#define BF_NOINLINE __attribute__((noinline))
/* Stays one function under its own name in a link-time optimised image, so that it can be measured, traced and read there. */
#if defined(__GNUC__) && !defined(__clang__)
#define BF_PRIMITIVE __attribute__((noinline, noclone, externally_visible))
#else
#define BF_PRIMITIVE
#endif

/* Overwrites `len` bytes with zero by volatile stores, so that the optimiser cannot drop it. */
BF_PRIMITIVE void bf_wipe(void *p, size_t len);

/* Overwrites BF_STACK_BURN bytes below the caller's frame: what finished callees left there. */
BF_PRIMITIVE void bf_wipe_stack(void);
#define BF_STACK_BURN 768

/* 1 when the two strings of `len` bytes are equal, else 0; time depends on `len` only. */
BF_PRIMITIVE int bf_equal(const uint8_t *a, const uint8_t *b, size_t len);

/* Copies `len` bytes upwards: `dst` may overlap `src` when it lies at or below it. */
BF_PRIMITIVE void bf_copy(uint8_t *dst, const uint8_t *src, size_t len);

/* The same value, of which the compiler knows nothing: keeps a mask from being turned back into a branch. */
BF_INLINE uint32_t bf_opaque(uint32_t v) {
  __asm__("" : "+r"(v));
  return v;
}

/* All ones when `bit` is 1, zero when it is 0. */
BF_INLINE uint32_t bf_mask(uint32_t bit) {
  return bf_opaque(0u - bit);
}

/* Little-endian 32-bit load from any address. */
BF_INLINE uint32_t bf_load_le32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Little-endian 32-bit store to any address. */
BF_INLINE void bf_store_le32(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
  p[2] = (uint8_t)(v >> 16);
  p[3] = (uint8_t)(v >> 24);
}

/* Big-endian 32-bit load from any address. */
BF_INLINE uint32_t bf_load_be32(const uint8_t *p) {
  return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

/* Big-endian 32-bit store to any address. */
BF_INLINE void bf_store_be32(uint8_t *p, uint32_t v) {
  p[3] = (uint8_t)v;
  p[2] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)(v >> 16);
  p[0] = (uint8_t)(v >> 24);
}

/* Big-endian 64-bit load from any address. */
BF_INLINE uint64_t bf_load_be64(const uint8_t *p) {
  return (uint64_t)bf_load_be32(p) << 32 | bf_load_be32(p + 4);
}

/* Big-endian 64-bit store to any address. */
BF_INLINE void bf_store_be64(uint8_t *p, uint64_t v) {
  bf_store_be32(p, (uint32_t)(v >> 32));
  bf_store_be32(p + 4, (uint32_t)v);
}

#endif
