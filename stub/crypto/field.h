/*
 * Arithmetic modulo 2^255 - 19. A field element is eight 32-bit limbs, least significant first, holding any value below 2^256; results
 * are modulo 2^256 - 38 = 2p and again below 2^256. All three functions take any such value, and r may be a or b.
 *
 * On a core with UMAAL they are the assembly of field_m4.c, elsewhere (and with BF_FIELD_TWIN) the C of field.c.
 */
#ifndef BF_CRYPTO_FIELD_H
#define BF_CRYPTO_FIELD_H

#include "internal.h"
#include "util.h"

#if defined(__ARM_FEATURE_DSP) && !defined(BF_FIELD_TWIN)
#define BF_FIELD_ASSEMBLY 1

/*
 * The assembly takes its pointers in r0..r2 and a factor in r3, and keeps no register: the caller saves what it needs once, not
 * every function for itself.
 */
#define BF_FIELD_CALL(name, r, a, b, k)                                                                          \
  do {                                                                                                           \
    register uint32_t *r0_ __asm__("r0") = (r);                                                                  \
    register const uint32_t *r1_ __asm__("r1") = (a);                                                            \
    register const uint32_t *r2_ __asm__("r2") = (b);                                                            \
    register uint32_t r3_ __asm__("r3") = (k);                                                                   \
    __asm__ volatile("bl " name                                                                                  \
                     : "+r"(r0_), "+r"(r1_), "+r"(r2_), "+r"(r3_)                                                \
                     :                                                                                           \
                     : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");           \
  } while (0)

/* r = a * b. */
BF_INLINE void fe_mul(fe r, const fe a, const fe b) {
  BF_FIELD_CALL("bf_field_mul", r, a, b, 0);
}

/* r = a + k * b, k below 2^26. */
BF_INLINE void fe_add_times(fe r, const fe a, const fe b, uint32_t k) {
  BF_FIELD_CALL("bf_field_add_times", r, a, b, k);
}

/* r = a - b. */
BF_INLINE void fe_sub(fe r, const fe a, const fe b) {
  BF_FIELD_CALL("bf_field_sub", r, a, b, 0);
}

#else

void fe_mul(fe r, const fe a, const fe b);
void fe_add_times(fe r, const fe a, const fe b, uint32_t k);
void fe_sub(fe r, const fe a, const fe b);

#endif
#endif
