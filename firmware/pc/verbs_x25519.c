/* X25519 and the arithmetic under it. */
#include "verbs.h"

#include <stdio.h>
#include <string.h>

#include "field.h"
#include "internal.h"
#include "util.h"
#include "x25519.h"

/* x25519 SCALAR U: ZERO OUT. */
void do_x25519(const request *r) {
  bytes k = hex_of(r, 1, 32), u = hex_of(r, 2, 32), out = make(32);
  int zero = bf_x25519(out.data, k.data, u.data);
  printf("%d ", zero);
  answer(out);
  drop(k), drop(u);
}

/* x25519-base SCALAR: OUT, computed over the scalar. */
void do_x25519_base(const request *r) {
  bytes k = hex_of(r, 1, 32);
  bf_x25519_base(k.data, k.data);
  answer(k);
}

/* x25519-iterate K U N: K after N steps of (k, u) = (X25519(k, u), k). */
void do_x25519_iterate(const request *r) {
  bytes k = hex_of(r, 1, 32), u = hex_of(r, 2, 32), t = make(32);
  for (size_t n = number(r, 3); n > 0; n--) {
    bf_x25519(t.data, k.data, u.data);
    memcpy(u.data, k.data, 32);
    memcpy(k.data, t.data, 32);
  }
  answer(k);
  drop(u), drop(t);
}

static void limbs(fe f, const request *r, int i) {
  bytes b = hex_of(r, i, 32);
  for (int k = 0; k < 8; k++) f[k] = bf_load_le32(b.data + 4 * k);
  drop(b);
}

#ifdef BF_FIELD_ASSEMBLY
void bf_field_add_times(void), bf_field_sub(void), bf_field_mul(void);

/* The operations of field_m4.c keep no register but sp, so C cannot call them by itself. */
static void field(void (*operation)(void), fe r, const fe a, const fe b, uint32_t k) {
  register uint32_t r0 __asm__("r0") = (uint32_t)r;
  register uint32_t r1 __asm__("r1") = (uint32_t)a;
  register uint32_t r2 __asm__("r2") = (uint32_t)b;
  register uint32_t r3 __asm__("r3") = k;
  register void (*ip)(void) __asm__("r12") = operation;
  __asm__ volatile("blx %4"
                   : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(ip)
                   :
                   : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "lr", "cc", "memory");
}

static void fe_add_times(fe r, const fe a, const fe b, uint32_t k) {
  field(bf_field_add_times, r, a, b, k);
}

static void fe_sub(fe r, const fe a, const fe b) {
  field(bf_field_sub, r, a, b, 0);
}

static void fe_mul(fe r, const fe a, const fe b) {
  field(bf_field_mul, r, a, b, 0);
}
#endif

/* fe A B K: A+K*B A-B A*B A*A 1/A frozen(A), each as it stands, little endian. */
void do_fe(const request *r) {
  fe a, b, out[6];
  limbs(a, r, 1);
  limbs(b, r, 2);
  fe_add_times(out[0], a, b, (uint32_t)number(r, 3));
  fe_sub(out[1], a, b);
  fe_mul(out[2], a, b);
  fe_mul(out[3], a, a);
  fe_invert(out[4], a);
  memcpy(out[5], a, sizeof a);
  fe_freeze(out[5], b);
  for (int i = 0; i < 6; i++) {
    for (int k = 0; k < 8; k++) {
      uint8_t limb[4];
      bf_store_le32(limb, out[i][k]);
      show(limb, 4);
    }
    putchar(i < 5 ? ' ' : '\n');
  }
}
