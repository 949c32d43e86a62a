/* The C twin of field_m4.c: see field.h. Plain loops, for reading and for hosts. */
#include "field.h"

#ifndef BF_FIELD_ASSEMBLY
#include "umaal.h"

#define A24 121665u /* (486662 - 2) / 4 */

/*
 * t += 38 * carry, carry below 2^26. A second wrap leaves t below 38 * 2^26, so adding 38 to limb 0
 * cannot carry.
 */
static void fold(uint32_t t[8], uint32_t carry) {
  uint32_t c = 38 * carry;
  for (int i = 0; i < 8; i++) umaal(&t[i], &c, 0, 0);
  t[0] += 38 * c;
}

void fe_add_times(fe r, const fe a, const fe b, uint32_t k) {
  uint32_t c = 0;
  for (int i = 0; i < 8; i++) {
    uint32_t t = a[i];
    umaal(&t, &c, b[i], k);
    r[i] = t;
  }
  fold(r, c);
}

/*
 * First a + ~b + 1 = a - b + 2^256; if that did not wrap, the 2^256 is there and 38 has to go,
 * which may borrow once more.
 */
void fe_sub(fe r, const fe a, const fe b) {
  uint32_t c = 1;
  for (int i = 0; i < 8; i++) {
    uint32_t t = a[i];
    umaal(&t, &c, ~b[i], 1);
    r[i] = t;
  }
  uint32_t borrow = 1 - c, ones = bf_mask(borrow);
  c = 0;
  umaal(&r[0], &c, (0u - 38u) & ones, 1);
  for (int i = 1; i < 8; i++) umaal(&r[i], &c, ones, 1);
  r[0] -= 38 * (borrow - c);
}

void fe_mul(fe r, const fe a, const fe b) {
  uint32_t w[16], c;
  for (int i = 0; i < 16; i++) w[i] = 0;
  for (int i = 0; i < 8; i++) {
    c = 0;
    for (int j = 0; j < 8; j++) umaal(&w[i + j], &c, a[i], b[j]);
    w[i + 8] = c;
  }
  c = 0;
  for (int i = 0; i < 8; i++) umaal(&w[i], &c, w[i + 8], 38);
  fold(w, c);
  for (int i = 0; i < 8; i++) r[i] = w[i];
}

void fe_walk(fe v[], const fe_step *step, const fe_step *end) {
  for (; step < end; step++) {
    uint32_t *to = v[step->to], how = step->how;
    const uint32_t *a = v[step->a], *b = v[step->b];
    if (how == FE_MINUS)
      fe_sub(to, a, b);
    else if (how == FE_PLUS)
      fe_add_times(to, a, b, 1);
    else if (how == FE_PLUS_A24)
      fe_add_times(to, a, b, A24);
    else
      for (fe_mul(to, a, b); how > 0; how--) fe_mul(to, to, to);
  }
}

#endif
