/*
 * crypto-host: the stub's primitives behind a line protocol, for the vectors and fuzzing of
 * test/interop/firmware-host.
 *
 * A request is one line: a verb and its arguments, hex strings or decimal numbers, separated by one
 * space; `-` is the empty string. The answer is one line of the same kind. Every string is placed
 * `place` bytes past a 16-byte boundary, set by the verb `place`, so that every misalignment can be
 * tried. Each string has its own heap block, so that the address sanitizer sees one byte too many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "internal.h"
#include "secretbox.h"
#include "sha512.h"
#include "util.h"
#include "x25519.h"

#define MAX_ARGS 80

typedef struct {
  uint8_t *block; /* what malloc gave */
  uint8_t *data;  /* block + place */
  size_t len;
} bytes;

typedef struct {
  int count;
  char *word[MAX_ARGS];
} request;

static size_t place;

static void die(const char *why) {
  fprintf(stderr, "crypto-host: %s\n", why);
  exit(2);
}

static bytes make(size_t len) {
  size_t room = place + len;
  bytes b = {malloc(room > 0 ? room : 1), NULL, len};
  if (b.block == NULL) die("out of memory");
  b.data = b.block + place;
  return b;
}

static void drop(bytes b) {
  free(b.block);
}

static uint8_t nibble(char c) {
  if (c >= '0' && c <= '9') return (uint8_t)(c - '0');
  if (c >= 'a' && c <= 'f') return (uint8_t)(c - 'a' + 10);
  die("not hex");
  return 0;
}

static const char *arg(const request *r, int i) {
  if (i >= r->count) die("argument missing");
  return r->word[i];
}

/* The i-th argument as bytes. */
static bytes hex(const request *r, int i) {
  const char *s = arg(r, i);
  if (strcmp(s, "-") == 0) s = "";
  bytes b = make(strlen(s) / 2);
  for (size_t k = 0; k < b.len; k++)
    b.data[k] = (uint8_t)(nibble(s[2 * k]) << 4 | nibble(s[2 * k + 1]));
  return b;
}

/* The i-th argument, which must have `len` bytes. */
static bytes hex_of(const request *r, int i, size_t len) {
  bytes b = hex(r, i);
  if (b.len != len) die("argument of the wrong size");
  return b;
}

static size_t number(const request *r, int i) {
  return (size_t)strtoull(arg(r, i), NULL, 10);
}

static void show(const uint8_t *p, size_t len) {
  if (len == 0) putchar('-');
  for (size_t i = 0; i < len; i++) printf("%02x", (unsigned)p[i]);
}

static void answer(bytes b) {
  show(b.data, b.len);
  putchar('\n');
  drop(b);
}

/* place N: where later strings begin. */
static void do_place(const request *r) {
  place = number(r, 1);
  puts("ok");
}

/* x25519 SCALAR U: ZERO OUT. */
static void do_x25519(const request *r) {
  bytes k = hex_of(r, 1, 32), u = hex_of(r, 2, 32), out = make(32);
  int zero = bf_x25519(out.data, k.data, u.data);
  printf("%d ", zero);
  answer(out);
  drop(k), drop(u);
}

/* x25519-base SCALAR: OUT, computed over the scalar. */
static void do_x25519_base(const request *r) {
  bytes k = hex_of(r, 1, 32);
  bf_x25519_base(k.data, k.data);
  answer(k);
}

/* x25519-iterate K U N: K after N steps of (k, u) = (X25519(k, u), k). */
static void do_x25519_iterate(const request *r) {
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
static void do_fe(const request *r) {
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

/* seal M NONCE KEY: BOX, sealed once apart and once in place; `differ` if they do. */
static void do_seal(const request *r) {
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
static void do_open(const request *r) {
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
static void do_poly1305(const request *r) {
  bytes m = hex(r, 1), k = hex_of(r, 2, 32), tag = make(16);
  bf_poly1305(tag.data, m.data, m.len, k.data);
  answer(tag);
  drop(m), drop(k);
}

/* hsalsa20 IN KEY: OUT. */
static void do_hsalsa20(const request *r) {
  bytes in = hex_of(r, 1, 16), k = hex_of(r, 2, 32), out = make(32);
  bf_hsalsa20(out.data, in.data, k.data);
  answer(out);
  drop(in), drop(k);
}

/* salsa20-core IN KEY: one block with feed-forward. */
static void do_salsa20_core(const request *r) {
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
static void do_stream(const request *r) {
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

/* sha512 PART...: the digest of the parts, each given to one update. */
static void do_sha512(const request *r) {
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
static void do_sha512_repeat(const request *r) {
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
static void do_hmac(const request *r) {
  bytes own[MAX_ARGS], k = hex(r, 1), out = make(64);
  bf_part parts[MAX_ARGS] = {{NULL, 0}};
  size_t n = collect(r, 2, own, parts);
  bf_hmac_parts(out.data, k.data, k.len, parts, n);
  answer(out);
  while (n > 0) drop(own[--n]);
  drop(k);
}

/* hkdf-expand PRK LEN INFO...: `0 OKM`, or `1 -` when LEN is too large. */
static void do_hkdf_expand(const request *r) {
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
static void do_equal(const request *r) {
  bytes a = hex(r, 1), b = hex_of(r, 2, a.len);
  printf("%d\n", bf_equal(a.data, b.data, a.len));
  drop(a), drop(b);
}

/* wipe A: A after bf_wipe, of which the first and last byte are left out. */
static void do_wipe(const request *r) {
  bytes a = hex(r, 1);
  if (a.len >= 2) bf_wipe(a.data + 1, a.len - 2);
  answer(a);
}

static const struct {
  const char *verb;
  void (*run)(const request *);
} verbs[] = {
    {"place", do_place},
    {"x25519", do_x25519},
    {"x25519-base", do_x25519_base},
    {"x25519-iterate", do_x25519_iterate},
    {"fe", do_fe},
    {"seal", do_seal},
    {"open", do_open},
    {"poly1305", do_poly1305},
    {"hsalsa20", do_hsalsa20},
    {"salsa20-core", do_salsa20_core},
    {"stream", do_stream},
    {"sha512", do_sha512},
    {"sha512-repeat", do_sha512_repeat},
    {"hmac", do_hmac},
    {"hkdf-expand", do_hkdf_expand},
    {"equal", do_equal},
    {"wipe", do_wipe},
};

static void answer_request(const request *r) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    if (strcmp(verbs[i].verb, r->word[0]) != 0) continue;
    verbs[i].run(r);
    return;
  }
  die("unknown verb");
}

static request split(char *line) {
  request r = {0, {NULL}};
  for (char *w = strtok(line, " \n"); w != NULL; w = strtok(NULL, " \n")) {
    if (r.count == MAX_ARGS) die("too many arguments");
    r.word[r.count++] = w;
  }
  return r;
}

/* Reads one line of any length into *line; 0 at the end of input. */
static int read_line(char **line, size_t *room) {
  size_t used = 0;
  for (;;) {
    if (*room - used < 2) {
      *room = *room * 2 + 4096;
      *line = realloc(*line, *room);
      if (*line == NULL) die("out of memory");
    }
    if (fgets(*line + used, (int)(*room - used), stdin) == NULL) return used > 0;
    used += strlen(*line + used);
    if ((*line)[used - 1] == '\n') return 1;
  }
}

/*
 * crypto-host [REQUESTS ANSWERS]: files in place of stdin and stdout, for an emulator without
 * pipes.
 */
int main(int argc, char **argv) {
  if (argc == 3 && (freopen(argv[1], "r", stdin) == NULL || freopen(argv[2], "w", stdout) == NULL))
    die("no such file");
  char *line = NULL;
  size_t room = 0;
  while (read_line(&line, &room)) {
    request r = split(line);
    if (r.count > 0) answer_request(&r);
  }
  free(line);
  return fflush(stdout) == 0 ? 0 : 2;
}
