/*
 * X25519: Montgomery ladder of RFC 7748 section 5 over GF(2^255 - 19).
 *
 * A field element is eight 32-bit limbs, least significant first, holding any value below 2^256; arithmetic is modulo
 * 2^256 - 38 = 2p and only `fe_freeze` reaches the canonical value. What leaves the top (2^256) comes back times 38 at
 * the bottom. A product is made of rows of four limbs, so that four limbs, their four accumulators, a carry, a
 * multiplier and the pointers fit the core's registers.
 */
#include "x25519.h"

#include "internal.h"
#include "umaal.h"
#include "util.h"

#define A24 121665u /* (486662 - 2) / 4 */

typedef struct {
  uint8_t scalar[32];
  fe x1, x2, z2, x3, z3, a, b;
} ladder;

static const uint8_t base_u[32] = {9};

/* t += 38 * carry, carry below 2^26. A second wrap leaves t below 38 * 2^26, so adding 38 to limb 0 cannot carry. */
BF_INLINE void fe_fold(uint32_t t[8], uint32_t carry) {
  uint32_t c = 0;
  umaal(&t[0], &c, carry, 38);
#pragma GCC unroll 8
  for (int i = 1; i < 8; i++) umaal(&t[i], &c, 0, 0);
  t[0] += 38 * c;
}

BF_INLINE void fe_copy(fe r, const uint32_t *a) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) r[i] = a[i];
}

/* r = a + k * b, k below 2^26. */
BF_INTERNAL BF_NOINLINE BF_NO_SCHEDULE void fe_add_times(fe r, const fe a, const fe b, uint32_t k) {
  uint32_t t[8], c = 0;
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    t[i] = a[i];
    umaal(&t[i], &c, b[i], k);
  }
  fe_fold(t, c);
  fe_copy(r, t);
}

/* r = a - b: first a + ~b + 1 = a - b + 2^256; if that did not wrap, the 2^256 is there and 38 has to go. */
BF_INTERNAL BF_NOINLINE BF_NO_SCHEDULE void fe_sub(fe r, const fe a, const fe b) {
  uint32_t t[8], c = 1;
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    t[i] = a[i];
    umaal(&t[i], &c, ~b[i], 1);
  }
  uint32_t borrow = 1 - c, ones = bf_mask(borrow);
  c = 0;
  umaal(&t[0], &c, (0u - 38u) & ones, 1);
#pragma GCC unroll 8
  for (int i = 1; i < 8; i++) umaal(&t[i], &c, ones, 1);
  t[0] -= 38 * (borrow - c);
  fe_copy(r, t);
}

/* One row of a product: t += x*y + in at its lowest limb; that limb is finished and goes out, the rest moves down. */
BF_INLINE uint32_t row(uint32_t t[4], const uint32_t x[4], uint32_t y, uint32_t in) {
  umaal(&t[0], &in, x[0], y);
  umaal(&t[1], &in, x[1], y);
  umaal(&t[2], &in, x[2], y);
  umaal(&t[3], &in, x[3], y);
  uint32_t out = t[0];
  t[0] = t[1];
  t[1] = t[2];
  t[2] = t[3];
  t[3] = in;
  return out;
}

/*
 * r = a * b: rows of the lower half of a, rows of the upper half on top, then 38 times the upper eight limbs.
 * The opaque loads keep the half in registers; without them gcc reads it again for every row.
 */
BF_INTERNAL BF_NOINLINE BF_NO_SCHEDULE void fe_mul(fe r, const fe a, const fe b) {
  uint32_t w[16];
  {
    uint32_t x[4] = {bf_opaque(a[0]), bf_opaque(a[1]), bf_opaque(a[2]), bf_opaque(a[3])}, t[4] = {0, 0, 0, 0};
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) w[i] = row(t, x, b[i], 0);
    w[8] = t[0], w[9] = t[1], w[10] = t[2], w[11] = t[3];
  }
  __asm__ volatile("" ::: "memory"); /* b is read again below, rather than kept and spilled */
  {
    uint32_t x[4] = {bf_opaque(a[4]), bf_opaque(a[5]), bf_opaque(a[6]), bf_opaque(a[7])}, t[4] = {0, 0, 0, 0};
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) w[i + 4] = row(t, x, b[i], w[i + 4]);
    w[12] = t[0], w[13] = t[1], w[14] = t[2], w[15] = t[3];
  }
  uint32_t c = 0;
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) umaal(&w[i], &c, w[i + 8], 38);
  fe_fold(w, c);
  fe_copy(r, w);
}

/* r = a^(2^n), n >= 1. */
BF_INTERNAL void fe_sq_times(fe r, const fe a, int n) {
  fe_mul(r, a, a);
  while (--n > 0) fe_mul(r, r, r);
}

/* r = a^(p-2) = 1/a, and 0 for 0, by the fixed chain of 254 squarings and 11 products for 2^255 - 21. */
BF_INTERNAL void fe_invert(fe r, const fe a) {
  struct {
    fe a11, s, t;
  } v;
  fe_sq_times(v.s, a, 1);        /* 2 */
  fe_sq_times(v.t, v.s, 2);      /* 8 */
  fe_mul(v.t, v.t, a);           /* 9 */
  fe_mul(v.a11, v.t, v.s);       /* 11 */
  fe_sq_times(v.s, v.a11, 1);    /* 22 */
  fe_mul(v.t, v.s, v.t);         /* 31 = 2^5 - 1 */
  fe_sq_times(v.s, v.t, 5);
  fe_mul(v.t, v.s, v.t);         /* 2^10 - 1 */
  fe_sq_times(v.s, v.t, 10);
  fe_mul(r, v.s, v.t);           /* 2^20 - 1 */
  fe_sq_times(v.s, r, 20);
  fe_mul(v.s, v.s, r);           /* 2^40 - 1 */
  fe_sq_times(v.s, v.s, 10);
  fe_mul(v.t, v.s, v.t);         /* 2^50 - 1 */
  fe_sq_times(v.s, v.t, 50);
  fe_mul(r, v.s, v.t);           /* 2^100 - 1 */
  fe_sq_times(v.s, r, 100);
  fe_mul(v.s, v.s, r);           /* 2^200 - 1 */
  fe_sq_times(v.s, v.s, 50);
  fe_mul(v.t, v.s, v.t);         /* 2^250 - 1 */
  fe_sq_times(v.t, v.t, 5);
  fe_mul(r, v.t, v.a11);         /* 2^255 - 32 + 11 */
  bf_wipe(&v, sizeof v);
}

/* r = a + add modulo 2^256; returns bit 255 of the sum. */
BF_INLINE uint32_t add_small(fe r, const fe a, uint32_t add) {
  for (int i = 0; i < 8; i++) {
    r[i] = a[i];
    umaal(&r[i], &add, 0, 0);
  }
  return r[7] >> 31;
}

/* r = the canonical representative of r. First below 2^255 + 19, then less p if adding 19 reaches bit 255. */
BF_INTERNAL void fe_freeze(fe r) {
  fe t;
  uint32_t top = r[7] >> 31;
  r[7] &= 0x7fffffffu;
  add_small(r, r, 19 * top);
  top = add_small(t, r, 19);
  add_small(r, r, 19 * top);
  r[7] &= 0x7fffffffu;
  bf_wipe(t, sizeof t);
}

static void fe_load(fe r, const uint8_t in[32]) {
  for (int i = 0; i < 8; i++) r[i] = bf_load_le32(in + 4 * i);
}

static void fe_store(uint8_t out[32], const fe a) {
  for (int i = 0; i < 8; i++) bf_store_le32(out + 4 * i, a[i]);
}

static void fe_set(fe r, uint32_t small) {
  for (int i = 1; i < 8; i++) r[i] = 0;
  r[0] = small;
}

/* Exchanges a and b when `bit` is 1, touching the same words either way. */
static void fe_swap_if(uint32_t bit, fe a, fe b) {
  uint32_t mask = bf_mask(bit);
  for (int i = 0; i < 8; i++) {
    uint32_t d = (a[i] ^ b[i]) & mask;
    a[i] ^= d;
    b[i] ^= d;
  }
}

/* One step: (x2:z2) = 2 (x2:z2) and (x3:z3) = (x2:z2) + (x3:z3), whose difference is x1. Names as in RFC 7748. */
static void ladder_step(ladder *l) {
  fe_add_times(l->a, l->x2, l->z2, 1);    /* A */
  fe_sub(l->b, l->x2, l->z2);             /* B */
  fe_add_times(l->x2, l->x3, l->z3, 1);   /* C */
  fe_sub(l->z2, l->x3, l->z3);            /* D */
  fe_mul(l->z2, l->z2, l->a);             /* DA */
  fe_mul(l->x2, l->x2, l->b);             /* CB */
  fe_add_times(l->x3, l->z2, l->x2, 1);   /* DA + CB */
  fe_sub(l->z3, l->z2, l->x2);            /* DA - CB */
  fe_mul(l->x3, l->x3, l->x3);            /* x3 */
  fe_mul(l->z3, l->z3, l->z3);
  fe_mul(l->z3, l->z3, l->x1);            /* z3 */
  fe_mul(l->a, l->a, l->a);               /* AA */
  fe_mul(l->b, l->b, l->b);               /* BB */
  fe_mul(l->x2, l->a, l->b);              /* x2 */
  fe_sub(l->b, l->a, l->b);               /* E */
  fe_add_times(l->z2, l->a, l->b, A24);   /* AA + A24 E */
  fe_mul(l->z2, l->z2, l->b);             /* z2 */
}

static void load_clamped(uint8_t to[32], const uint8_t scalar[32]) {
  bf_copy(to, scalar, 32);
  to[0] &= 248;
  to[31] &= 127;
  to[31] |= 64;
}

/* Runs the ladder over the 255 bits of the clamped scalar, from the top. */
static void climb(ladder *l) {
  uint32_t swapped = 0;
  for (int i = 254; i >= 0; i--) {
    uint32_t bit = (uint32_t)l->scalar[i >> 3] >> (i & 7) & 1;
    fe_swap_if(swapped ^ bit, l->x2, l->x3);
    fe_swap_if(swapped ^ bit, l->z2, l->z3);
    swapped = bit;
    ladder_step(l);
  }
  fe_swap_if(swapped, l->x2, l->x3);
  fe_swap_if(swapped, l->z2, l->z3);
}

/* 1 when a is zero, else 0. */
static int fe_is_zero(const fe a) {
  uint32_t any = 0;
  for (int i = 0; i < 8; i++) any |= a[i];
  return (int)(1u ^ ((bf_opaque(any) | (0u - any)) >> 31));
}

int bf_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t u[32]) {
  ladder l;
  load_clamped(l.scalar, scalar);
  fe_load(l.x1, u);
  l.x1[7] &= 0x7fffffffu;
  fe_set(l.x2, 1);
  fe_set(l.z2, 0);
  fe_load(l.x3, u);
  l.x3[7] &= 0x7fffffffu;
  fe_set(l.z3, 1);
  climb(&l);
  fe_invert(l.z2, l.z2);
  fe_mul(l.x2, l.x2, l.z2);
  fe_freeze(l.x2);
  int zero = fe_is_zero(l.x2);
  fe_store(out, l.x2);
  bf_wipe(&l, sizeof l);
  bf_wipe_stack();
  return zero;
}

void bf_x25519_base(uint8_t out[32], const uint8_t scalar[32]) {
  (void)bf_x25519(out, scalar, base_u);
}
