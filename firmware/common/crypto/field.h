/*
 * Arithmetic modulo 2^255 - 19. A field element is eight 32-bit limbs, least significant first,
 * holding any value below 2^256; results are modulo 2^256 - 38 = 2p and again below 2^256. An
 * operation takes any such values, and its result may lie in an operand.
 *
 * A computation is a table of steps over an array of elements, and fe_walk takes them one after the
 * other. What is done and where the operands lie is the table's alone, so a walk takes the same
 * time and touches the same words whatever the values are.
 *
 * On a core with UMAAL this is the assembly of field_m4.c, elsewhere (and with BF_FIELD_TWIN) the C
 * of field.c.
 */
#ifndef BF_CRYPTO_FIELD_H
#define BF_CRYPTO_FIELD_H

#include "internal.h"
#include "util.h"

#if defined(__ARM_FEATURE_DSP) && !defined(BF_FIELD_TWIN)
#define BF_FIELD_ASSEMBLY 1
#endif

/* v[to] = v[a] `how` v[b]. */
typedef struct {
  uint8_t to, a, b, how;
} fe_step;

/*
 * How: 0 is the product, n up to 251 the product squared n times, that is (a * b)^(2^n); or one of
 * these.
 */
#define FE_PLUS 252     /* a + b */
#define FE_PLUS_A24 253 /* a + 121665 * b, which is (A - 2) / 4 of Curve25519 */
#define FE_MINUS 254    /* a - b */

/* Takes the steps of [step, end), at least one. */
void fe_walk(fe v[], const fe_step *step, const fe_step *end);

#ifndef BF_FIELD_ASSEMBLY
void fe_mul(fe r, const fe a, const fe b);
void fe_add_times(fe r, const fe a, const fe b, uint32_t k); /* r = a + k * b, k below 2^26 */
void fe_sub(fe r, const fe a, const fe b);
#endif

#endif
