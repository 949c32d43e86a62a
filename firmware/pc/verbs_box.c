/* secretbox and what it is made of. */
#include "verbs.h"

#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "secretbox.h"
#include "util.h"

/* seal M NONCE KEY: BOX, sealed once apart and once in place; `differ` if they do. */
void do_seal(const request *r) {
  bytes m = hex(r, 1), n = hex_of(r, 2, 24), k = hex_of(r, 3, 32), c = make(m.len + 16),
        in_place = make(m.len + 16);
  bf_secretbox_seal(c.data, m.data, m.len, n.data, k.data);
  memcpy(in_place.data + 16, m.data, m.len);
  bf_secretbox_seal(in_place.data, in_place.data + 16, m.len, n.data, k.data);
  if (memcmp(c.data, in_place.data, c.len) == 0)
    answer(c);
  else
    puts("differ"), drop(c);
  drop(m), drop(n), drop(k), drop(in_place);
}

typedef struct {
  int failed;
  int touched; /* a failed open wrote something */
  bytes m;
} opening;

/*
 * Opens a copy of `box` to `shift` bytes past its start; shift -1 is a buffer apart, filled with
 * 0xa5 before.
 */
static opening open_at(bytes box, int shift, bytes n, bytes k) {
  size_t len = box.len < 16 ? 0 : box.len - 16;
  bytes c = make(box.len), m = make(len);
  memcpy(c.data, box.data, box.len);
  memset(m.data, 0xa5, len);
  uint8_t *to = shift < 0 || box.len < 16 ? m.data : c.data + shift;
  opening o = {bf_secretbox_open(to, c.data, c.len, n.data, k.data), 0, m};
  if (o.failed) {
    o.touched = memcmp(c.data, box.data, box.len) != 0;
    for (size_t i = 0; i < len; i++) o.touched |= m.data[i] != 0xa5;
  } else if (to != m.data) {
    memcpy(m.data, to, len);
  }
  drop(c);
  return o;
}

/* 1 when opening in place, moved down by 5 and moved to the start all do what opening apart did. */
static int overlaps_agree(bytes box, bytes n, bytes k, const opening *apart) {
  static const int shifts[] = {16, 11, 0};
  int same = 1;
  for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
    opening o = open_at(box, shifts[i], n, k);
    same &= o.failed == apart->failed && !o.touched;
    same &= o.failed || memcmp(o.m.data, apart->m.data, o.m.len) == 0;
    drop(o.m);
  }
  return same;
}

/*
 * open BOX NONCE KEY: `0 M`, or `1 -` with the buffer untouched; `differ` or `touched` when
 * something is wrong.
 */
void do_open(const request *r) {
  bytes box = hex(r, 1), n = hex_of(r, 2, 24), k = hex_of(r, 3, 32);
  opening o = open_at(box, -1, n, k);
  if (!overlaps_agree(box, n, k, &o)) {
    puts("differ");
  } else if (o.failed) {
    puts(o.touched ? "touched" : "1 -");
  } else {
    printf("0 ");
    show(o.m.data, o.m.len);
    putchar('\n');
  }
  drop(o.m), drop(box), drop(n), drop(k);
}

/* poly1305 M KEY: TAG. */
void do_poly1305(const request *r) {
  bytes m = hex(r, 1), k = hex_of(r, 2, 32), tag = make(16);
  bf_poly1305(tag.data, m.data, m.len, k.data);
  answer(tag);
  drop(m), drop(k);
}

/* hsalsa20 IN KEY: OUT. */
void do_hsalsa20(const request *r) {
  bytes in = hex_of(r, 1, 16), k = hex_of(r, 2, 32), out = make(32);
  bf_hsalsa20(out.data, in.data, k.data);
  answer(out);
  drop(in), drop(k);
}

/* salsa20-core IN KEY: one block with feed-forward. */
void do_salsa20_core(const request *r) {
  bytes in = hex_of(r, 1, 16), k = hex_of(r, 2, 32), out = make(64);
  bf_salsa20 s;
  uint32_t block[16];
  bf_salsa20_init(&s, k.data, in.data);
  bf_salsa20_next(block, &s);
  for (int i = 0; i < 16; i++) bf_store_le32(out.data + 4 * i, block[i]);
  answer(out);
  drop(in), drop(k);
}

/*
 * stream NONCE KEY LOW HIGH LEN: keystream; XSalsa20 for a 24-byte nonce, Salsa20 for 8; counter in
 * two halves.
 */
void do_stream(const request *r) {
  bytes n = hex(r, 1), k = hex_of(r, 2, 32), out = make(number(r, 5));
  bf_salsa20 s;
  uint8_t in[16] = {0};
  if (n.len == 24)
    bf_xsalsa20_init(&s, n.data, k.data);
  else if (n.len == 8)
    memcpy(in, n.data, 8), bf_salsa20_init(&s, k.data, in);
  else
    die("nonce of the wrong size");
  s.x[8] = (uint32_t)number(r, 3);
  s.x[9] = (uint32_t)number(r, 4);
  memset(out.data, 0, out.len);
  bf_salsa20_xor(&s, out.data, out.data, out.len);
  answer(out);
  drop(n), drop(k);
}
