/* Hashes, the codes and keys made of them, and the helpers on bytes. */
#include "verbs.h"

#include <stdio.h>
#include <string.h>

#include "sha512.h"
#include "util.h"

/* sha512 PART...: the digest of the parts, each given to one update. */
void do_sha512(const request *r) {
  bytes out = make(64);
  bf_sha512 s;
  bf_sha512_init(&s);
  for (int i = 1; i < r->count; i++) {
    bytes p = hex(r, i);
    bf_sha512_update(&s, p.data, p.len);
    drop(p);
  }
  bf_sha512_final(&s, out.data);
  answer(out);
}

/* sha512-repeat BYTE COUNT CHUNK: the digest of COUNT equal bytes, CHUNK to an update. */
void do_sha512_repeat(const request *r) {
  bytes byte = hex_of(r, 1, 1), out = make(64), chunk = make(number(r, 3));
  bf_sha512 s;
  bf_sha512_init(&s);
  memset(chunk.data, byte.data[0], chunk.len);
  for (size_t left = number(r, 2); left > 0;) {
    size_t n = left < chunk.len ? left : chunk.len;
    bf_sha512_update(&s, chunk.data, n);
    left -= n;
  }
  bf_sha512_final(&s, out.data);
  answer(out);
  drop(byte), drop(chunk);
}

/* Arguments from `first` on as parts; the bytes behind them go to `own`. */
static size_t collect(const request *r, int first, bytes own[MAX_ARGS], bf_part parts[MAX_ARGS]) {
  size_t n = 0;
  for (int i = first; i < r->count; i++, n++) {
    own[n] = hex(r, i);
    parts[n].data = own[n].data;
    parts[n].len = own[n].len;
  }
  return n;
}

/* hmac KEY PART...: the MAC of the parts' concatenation. */
void do_hmac(const request *r) {
  bytes own[MAX_ARGS], k = hex(r, 1), out = make(64);
  bf_part parts[MAX_ARGS] = {{NULL, 0}};
  size_t n = collect(r, 2, own, parts);
  bf_hmac_parts(out.data, k.data, k.len, parts, n);
  answer(out);
  while (n > 0) drop(own[--n]);
  drop(k);
}

/* hkdf-expand PRK LEN INFO...: `0 OKM`, or `1 -` when LEN is too large. */
void do_hkdf_expand(const request *r) {
  bytes own[MAX_ARGS], prk = hex(r, 1), out = make(number(r, 2));
  bf_part parts[MAX_ARGS] = {{NULL, 0}};
  size_t n = collect(r, 3, own, parts);
  int failed = bf_hkdf_expand(out.data, out.len, prk.data, prk.len, parts, n);
  printf("%d ", failed);
  show(out.data, failed ? 0 : out.len);
  putchar('\n');
  while (n > 0) drop(own[--n]);
  drop(out), drop(prk);
}

/* equal A B: 1 or 0. */
void do_equal(const request *r) {
  bytes a = hex(r, 1), b = hex_of(r, 2, a.len);
  printf("%d\n", bf_equal(a.data, b.data, a.len));
  drop(a), drop(b);
}

/* wipe A: A after bf_wipe, of which the first and last byte are left out. */
void do_wipe(const request *r) {
  bytes a = hex(r, 1);
  if (a.len >= 2) bf_wipe(a.data + 1, a.len - 2);
  answer(a);
}
