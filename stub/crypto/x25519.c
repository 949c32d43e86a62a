/*
 * X25519: Montgomery ladder of RFC 7748 section 5 over GF(2^255 - 19), on the field of field.h. Only `fe_freeze` reaches the canonical
 * value of an element.
 */
#include "x25519.h"

#include "field.h"
#include "internal.h"
#include "umaal.h"
#include "util.h"

#define A24 121665u /* (486662 - 2) / 4 */

/* x1 is the point's; (x2:z2) the multiple doubled last, (x3:z3) its neighbour. */
typedef struct {
  uint8_t scalar[32];
  fe x1, x2, z2, x3, z3;
  fe ab[2], cd[2];
} ladder;

/* r = a^(2^n) * b. */
BF_INTERNAL BF_NOINLINE void fe_sq_times_mul(fe r, const fe a, uint32_t n, const fe b) {
  fe t;
  for (uint32_t i = 0; i < 8; i++) t[i] = a[i];
  while (n-- > 0) fe_mul(t, t, t);
  fe_mul(r, t, b);
  bf_wipe(t, sizeof t);
}

/* The fixed chain of 254 squarings and 12 products for a^(2^255 - 21): v[to] = v[from]^(2^n) * v[by]. */
enum { A, R, S, T, E, SLOTS };
typedef struct {
  uint8_t to, from, n, by;
} link;
static const link CHAIN[] = {
    {S, A, 0, A},    /* 2 */
    {T, S, 2, A},    /* 9 */
    {E, T, 0, S},    /* 11 */
    {T, E, 1, T},    /* 31 = 2^5 - 1 */
    {T, T, 5, T},    /* 2^10 - 1 */
    {R, T, 10, T},   /* 2^20 - 1 */
    {S, R, 20, R},   /* 2^40 - 1 */
    {T, S, 10, T},   /* 2^50 - 1 */
    {R, T, 50, T},   /* 2^100 - 1 */
    {S, R, 100, R},  /* 2^200 - 1 */
    {T, S, 50, T},   /* 2^250 - 1 */
    {R, T, 5, E},    /* 2^255 - 32 + 11 */
};

/* r = a^(p-2) = 1/a, and 0 for 0. */
BF_INTERNAL void fe_invert(fe r, const fe a) {
  fe v[SLOTS];
  for (uint32_t i = 0; i < 8; i++) v[A][i] = a[i];
  for (const link *l = CHAIN; l < CHAIN + sizeof CHAIN / sizeof CHAIN[0]; l++) fe_sq_times_mul(v[l->to], v[l->from], l->n, v[l->by]);
  for (uint32_t i = 0; i < 8; i++) r[i] = v[R][i];
  bf_wipe(v, sizeof v);
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

/* ab = cd when `bit` is 1, touching the same words either way. */
BF_INLINE void take_if(uint32_t bit, ladder *l) {
  uint32_t mask = bf_mask(bit);
  for (int k = 0; k < 2; k++)
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) l->ab[k][i] ^= (l->ab[k][i] ^ l->cd[k][i]) & mask;
}

/*
 * One step: (x2:z2) = twice itself, or twice (x3:z3) when `other` is 1; (x3:z3) = the sum of both, whose difference is x1. Names as in
 * RFC 7748. Exchanging the points exchanges DA and CB, which changes the sign of DA - CB only, so just what is doubled is chosen.
 */
static void ladder_step(ladder *l, uint32_t other) {
  uint32_t *a = l->ab[0], *b = l->ab[1], *c = l->cd[0], *d = l->cd[1];
  fe_add_times(a, l->x2, l->z2, 1);    /* A */
  fe_sub(b, l->x2, l->z2);             /* B */
  fe_add_times(c, l->x3, l->z3, 1);    /* C */
  fe_sub(d, l->x3, l->z3);             /* D */
  fe_mul(l->z2, d, a);              /* DA */
  fe_mul(l->x2, c, b);              /* CB */
  fe_add_times(l->x3, l->z2, l->x2, 1);   /* DA + CB */
  fe_sub(l->z3, l->z2, l->x2);            /* DA - CB */
  fe_mul(l->x3, l->x3, l->x3);            /* x3 */
  fe_mul(l->z3, l->z3, l->z3);
  fe_mul(l->z3, l->z3, l->x1);            /* z3 */
  take_if(other, l);
  fe_mul(a, a, a);               /* AA */
  fe_mul(b, b, b);               /* BB */
  fe_mul(l->x2, a, b);              /* x2 */
  fe_sub(b, a, b);               /* E */
  fe_add_times(l->z2, a, b, A24);   /* AA + A24 E */
  fe_mul(l->z2, l->z2, b);             /* z2 */
}

/* Runs the ladder over the 255 bits of the clamped scalar, from the top. Its last bit is 0: (x2:z2) is the multiple wanted. */
static void climb(ladder *l) {
  uint32_t last = 0;
  for (int i = 254; i >= 0; i--) {
    uint32_t bit = (uint32_t)l->scalar[i >> 3] >> (i & 7) & 1;
    ladder_step(l, last ^ bit);
    last = bit;
  }
}

static void clamp_scalar(uint8_t to[32], const uint8_t scalar[32]) {
  bf_copy(to, scalar, 32);
  to[0] &= 248;
  to[31] &= 127;
  to[31] |= 64;
}

/* 1 when a is zero, else 0. */
/* Not inlined: a spilled sum of the agreement's limbs must lie where bf_wipe_stack reaches it. */
__attribute__((noinline)) static int fe_is_zero(const fe a) {
  uint32_t any = 0;
  for (int i = 0; i < 8; i++) any |= a[i];
  return (int)(1u ^ ((bf_opaque(any) | (0u - any)) >> 31));
}

int bf_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t u[32]) {
  ladder l;
  bf_wipe(&l, sizeof l);
  clamp_scalar(l.scalar, scalar);
  fe_load(l.x1, u);
  l.x1[7] &= 0x7fffffffu;
  bf_copy((uint8_t *)l.x3, (const uint8_t *)l.x1, sizeof l.x3);
  l.x2[0] = l.z3[0] = 1;
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
  uint8_t nine[32];
  bf_wipe(nine, sizeof nine);
  nine[0] = 9;
  (void)bf_x25519(out, scalar, nine);
}
