/*
 * X25519: Montgomery ladder of RFC 7748 section 5 over GF(2^255 - 19), on the field of field.h.
 * Only `fe_freeze` reaches the canonical value of an element.
 */
#include "x25519.h"

#include "field.h"
#include "internal.h"
#ifdef BF_X25519_BLINDED
#include "umaal.h"
#endif
#include "util.h"

/*
 * x1 is the point's; (x2:z2) the multiple doubled last, (x3:z3) its neighbour, one behind the other
 * so that they can change places.
 */
enum { X2, Z2, X3, Z3, X1, A, B, C, D, ZERO, SLOTS };

/*
 * (x2:z2) = twice itself, (x3:z3) = the sum of both, whose difference is x1. Names as in RFC 7748.
 */
static const fe_step STEP[] = {
    {A, X2, Z2, FE_PLUS},
    {B, X2, Z2, FE_MINUS},
    {C, X3, Z3, FE_PLUS},
    {D, X3, Z3, FE_MINUS},
    {D, D, A, 0}, /* DA */
    {C, C, B, 0}, /* CB */
    {X3, D, C, FE_PLUS},
    {Z3, D, C, FE_MINUS},
    {X3, X3, X3, 0},
    {Z3, Z3, Z3, 0},
    {Z3, Z3, X1, 0},
    {A, A, A, 0}, /* AA */
    {B, B, B, 0}, /* BB */
    {X2, A, B, 0},
    {B, A, B, FE_MINUS},     /* E */
    {Z2, A, B, FE_PLUS_A24}, /* AA + A24 E */
    {Z2, Z2, B, 0},
};

/*
 * x2 = x2 / z2, by the fixed chain of 254 squarings and 12 products for z2^(2^255 - 21); the
 * exponents are noted.
 */
static const fe_step DIVIDE[] = {
    {A, Z2, Z2, 0},               /* 2 */
    {B, A, A, 1},                 /* 8 */
    {B, B, Z2, 0},                /* 9 */
    {C, B, A, 0},                 /* 11 */
    {A, C, C, 0},                 /* 22 */
    {B, A, B, 0},                 /* 31 = 2^5 - 1 */
    {D, B, B, 4},   {B, D, B, 0}, /* 2^10 - 1 */
    {D, B, B, 9},   {D, D, B, 0}, /* 2^20 - 1 */
    {A, D, D, 19},  {A, A, D, 0}, /* 2^40 - 1 */
    {A, A, A, 9},   {B, A, B, 0}, /* 2^50 - 1 */
    {D, B, B, 49},  {D, D, B, 0}, /* 2^100 - 1 */
    {A, D, D, 99},  {A, A, D, 0}, /* 2^200 - 1 */
    {A, A, A, 49},  {B, A, B, 0}, /* 2^250 - 1 */
    {B, B, B, 4},   {B, B, C, 0}, /* 2^255 - 32 + 11 */
    {X2, X2, B, 0},
};

#define WALK(v, table) fe_walk(v, table, table + sizeof table / sizeof table[0])

#ifdef BF_EXPOSE_INTERNALS
/* r = 1/a, and 0 for 0. */
void fe_invert(fe r, const fe a) {
  fe v[SLOTS] = {{0}};
  v[X2][0] = 1;
  for (int i = 0; i < 8; i++) v[Z2][i] = a[i];
  WALK(v, DIVIDE);
  for (int i = 0; i < 8; i++) r[i] = v[X2][i];
}
#endif

/*
 * r = the canonical representative of r; t is for its own use. First below 2^255 + 19, then less p
 * if adding 19 reaches bit 255.
 */
BF_INTERNAL void fe_freeze(fe r, fe t) {
  uint32_t top = r[7] >> 31;
  r[7] &= 0x7fffffffu;
  bf_add_small(r, r, 8, 19 * top);
  bf_add_small(t, r, 8, 19);
  bf_add_small(r, r, 8, 19 * (t[7] >> 31));
  r[7] &= 0x7fffffffu;
}

/* (x2:z2) and (x3:z3) change places when `bit` is 1; the same words are touched either way. */
static void swap_if(uint32_t bit, fe v[SLOTS]) {
  uint32_t mask = bf_mask(bit);
  for (uint32_t *p = v[X2], *q = v[X3]; p < v[X3]; p++, q++) {
    uint32_t change = (*p ^ *q) & mask;
    *p ^= change;
    *q ^= change;
  }
}

/* Bit `i` of the scalar, clamped. */
static uint32_t clamped_bit(const uint8_t scalar[32], uint32_t i) {
  if (i == 254) return 1;
  if (i < 3) return 0;
  return (uint32_t)scalar[i / 8] >> (i % 8) & 1;
}

/*
 * Runs the ladder over the 255 bits of the clamped scalar, from the top. Its last bit is 0: (x2:z2)
 * is the multiple wanted.
 */
static void climb(fe v[SLOTS], const uint8_t scalar[32]) {
  uint32_t last = 0;
  for (uint32_t i = 255; i-- > 0;) {
    uint32_t bit = clamped_bit(scalar, i);
    swap_if(last ^ bit, v);
    WALK(v, STEP);
    last = bit;
  }
}

int bf_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t u[32]) {
  fe v[SLOTS];
  bf_wipe(v, sizeof v);
  bf_copy((uint8_t *)v[X1], u, 32);
  v[X1][7] &= 0x7fffffffu;
  bf_copy((uint8_t *)v[X3], (const uint8_t *)v[X1], 32);
  v[X2][0] = v[Z3][0] = 1;
  climb(v, scalar);
  WALK(v, DIVIDE);
  fe_freeze(v[X2], v[A]);
  int zero = bf_equal((const uint8_t *)v[X2], (const uint8_t *)v[ZERO], 32);
  bf_copy(out, (const uint8_t *)v[X2], 32);
  bf_wipe(v, sizeof v);
  bf_wipe_stack();
  return zero;
}

void bf_x25519_base(uint8_t out[32], const uint8_t scalar[32]) {
  uint8_t nine[32];
  bf_wipe(nine, sizeof nine);
  nine[0] = 9;
  (void)bf_x25519(out, scalar, nine);
}

#ifdef BF_X25519_BLINDED

#define WIDE 12 /* words of a blinded scalar */

/* 8 l, l being the order of the base point (RFC 7748 section 4.1); words, least first. */
static const uint32_t ORDER_8[8] = {0xe7ae9f68u, 0xc09318d2u, 0x17bce6b2u, 0xa6f7cef5u,
                                    0,           0,           0,           0x80000000u};

/*
 * *to += (*from & keep) | set; returns the carry. The word of the scalar is in a register for five
 * instructions, then gone from all of them.
 */
static uint32_t add_word(uint32_t *to, const uint32_t *from, uint32_t keep, uint32_t set) {
  uint32_t word, sum;
  __asm__ volatile(
      "ldr %[sum], [%[to]]\n"
      "ldr %[word], [%[from]]\n"
      "and %[word], %[word], %[keep]\n"
      "orr %[word], %[word], %[set]\n"
      "adds %[sum], %[sum], %[word]\n"
      "mov %[word], #0\n"
      "adc %[word], %[word], #0\n"
      "str %[sum], [%[to]]\n"
      : [word] "=&r"(word), [sum] "=&r"(sum)
      : [to] "r"(to), [from] "r"(from), [keep] "r"(keep), [set] "r"(set)
      : "cc", "memory");
  return word;
}

/* 0..7 in an order by chance, of 8 bytes. */
static void shuffle(uint8_t order[8], const uint8_t chance[8]) {
  for (uint32_t i = 0; i < 8; i++) order[i] = (uint8_t)i;
  for (uint32_t i = 7; i > 0; i--) {
    uint32_t j = chance[i] % (i + 1);
    uint8_t moved = order[i];
    order[i] = order[j];
    order[j] = moved;
  }
}

/* k += the clamped scalar, its words in an order by chance. */
static void add_scalar(uint32_t k[WIDE], const uint32_t scalar[8], const uint8_t chance[8]) {
  uint8_t order[8];
  shuffle(order, chance);
  for (uint32_t i = 0; i < 8; i++) {
    uint32_t at = order[i], keep = 0xffffffffu, set = 0;
    if (at == 0) keep = ~7u;
    if (at == 7) keep = 0x7fffffffu, set = 0x40000000u;
    uint32_t carry = add_word(&k[at], &scalar[at], keep, set);
    for (uint32_t j = at + 1; j < WIDE; j++) umaal(&k[j], &carry, 0, 0);
  }
}

/* k = r * 8 l, then the clamped scalar upon it: `noise` is that of bf_x25519_blinded(). */
static void blind_scalar(uint32_t k[WIDE], const uint32_t scalar[8],
                         const uint8_t noise[BF_X25519_NOISE]) {
  bf_wipe(k, WIDE * sizeof *k);
  for (uint32_t i = 0; i < 4; i++) {
    uint32_t carry = 0, r = bf_load_le32(noise + 4 * i);
    for (uint32_t j = 0; j < 8; j++) umaal(&k[i + j], &carry, r, ORDER_8[j]);
    for (uint32_t j = i + 8; j < WIDE; j++) umaal(&k[j], &carry, 0, 0);
  }
  add_scalar(k, scalar, noise + 48);
}

int bf_x25519_blinded(uint8_t out[32], const uint32_t scalar[8], const uint8_t u[32],
                      const uint8_t noise[BF_X25519_NOISE]) {
  fe v[SLOTS];
  uint32_t k[WIDE], last = 0;
  static const fe_step SCALE[] = {{X3, X1, Z3, 0}};
  blind_scalar(k, scalar, noise);
  bf_wipe(v, sizeof v);
  bf_copy((uint8_t *)v[X1], u, 32);
  v[X1][7] &= 0x7fffffffu;
  bf_copy((uint8_t *)v[Z3], noise + 16, 32);
  bf_copy((uint8_t *)v[X2], noise + 16, 32);
  WALK(v, SCALE);
  for (uint32_t i = 32 * WIDE; i-- > 0;) {
    uint32_t bit = k[i / 32] >> (i % 32) & 1u;
    swap_if(last ^ bit, v);
    WALK(v, STEP);
    last = bit;
  }
  WALK(v, DIVIDE);
  fe_freeze(v[X2], v[A]);
  int zero = bf_equal((const uint8_t *)v[X2], (const uint8_t *)v[ZERO], 32);
  bf_copy(out, (const uint8_t *)v[X2], 32);
  bf_wipe(v, sizeof v);
  bf_wipe(k, sizeof k);
  bf_wipe_stack();
  return zero;
}

#endif
