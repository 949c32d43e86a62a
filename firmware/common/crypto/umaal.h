/*
 * One multiply-accumulate with two addends, the step all multi-word arithmetic here is made of.
 *
 * a*b + lo + hi fits 64 bits exactly for all 32-bit values: (2^32-1)^2 + 2*(2^32-1) = 2^64-1. The
 * Cortex-M4 does it in one cycle (UMAAL, part of the DSP extension), independent of the operands;
 * other hosts run the C twin.
 */
#ifndef BF_CRYPTO_UMAAL_H
#define BF_CRYPTO_UMAAL_H

#include "util.h"

/* hi:lo = a*b + lo + hi. */
BF_INLINE void umaal(uint32_t *lo, uint32_t *hi, uint32_t a, uint32_t b) {
#if defined(__ARM_FEATURE_DSP)
  uint32_t l = *lo, h = *hi;
  __asm__("umaal %0, %1, %2, %3" : "+r"(l), "+r"(h) : "r"(a), "r"(b));
  *lo = l;
  *hi = h;
#else
  uint64_t t = (uint64_t)a * b + *lo + *hi;
  *lo = (uint32_t)t;
  *hi = (uint32_t)(t >> 32);
#endif
}

#endif
