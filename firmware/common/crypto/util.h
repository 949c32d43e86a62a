/*
 * The few bytes-and-words helpers every primitive needs: wipe, constant-time compare, copy, load
 * and store.
 *
 * Nothing here asks for alignment: words in strings have a type that may lie anywhere, for which
 * the compiler takes LDR and STR where the core allows unaligned access (Cortex-M4 does), and never
 * LDRD or LDM, which would fault.
 */
#ifndef BF_CRYPTO_UTIL_H
#define BF_CRYPTO_UTIL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Marks what only tests may name. Production builds make it static, so that it can be inlined or
 * dropped.
 */
#ifdef BF_EXPOSE_INTERNALS
#define BF_INTERNAL
#else
#define BF_INTERNAL static
#endif

#if defined(__GNUC__) && !defined(__clang__)
/*
 * gcc's first scheduling pass lengthens live ranges: 17-30 % slower on code with 14 and more live
 * words.
 */
#define BF_NO_SCHEDULE __attribute__((optimize("no-schedule-insns")))
/* Inner loops: for time where everything else is for size. */
#define BF_FAST \
  __attribute__((optimize("O2", "no-schedule-insns", "no-tree-loop-distribute-patterns")))
#else
#define BF_FAST
#define BF_NO_SCHEDULE
#endif

#define BF_INLINE static inline __attribute__((always_inline))
#define BF_NOINLINE __attribute__((noinline))
/*
 * Stays one function under its own name in a link-time optimised image, so that it can be measured,
 * traced and read there.
 */
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

/*
 * out = in + add, numbers of so many limbs, least significant first; what is carried out of them is
 * lost. `out` may be `in`.
 */
BF_PRIMITIVE void bf_add_small(uint32_t *out, const uint32_t *in, size_t limbs, uint32_t add);

/*
 * The same value, of which the compiler knows nothing: keeps a mask from being turned back into a
 * branch.
 */
BF_INLINE uint32_t bf_opaque(uint32_t v) {
  __asm__("" : "+r"(v));
  return v;
}

/* All ones when `bit` is 1, zero when it is 0. */
BF_INLINE uint32_t bf_mask(uint32_t bit) {
  return bf_opaque(0u - bit);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are read and written as they lie"
#endif
typedef uint32_t __attribute__((aligned(1), may_alias)) bf_word_anywhere;

/* Little-endian 32-bit load from any address. */
BF_INLINE uint32_t bf_load_le32(const uint8_t *p) {
  return *(const bf_word_anywhere *)p;
}

/* Little-endian 32-bit store to any address. */
BF_INLINE void bf_store_le32(uint8_t *p, uint32_t v) {
  *(bf_word_anywhere *)p = v;
}

/* Big-endian 32-bit load from any address. */
BF_INLINE uint32_t bf_load_be32(const uint8_t *p) {
  return __builtin_bswap32(bf_load_le32(p));
}

/* Big-endian 32-bit store to any address. */
BF_INLINE void bf_store_be32(uint8_t *p, uint32_t v) {
  bf_store_le32(p, __builtin_bswap32(v));
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
