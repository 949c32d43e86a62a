/*
 * Runs one function of firmware/common/crypto with its secrets marked as never written; valgrind's memcheck then reports every branch and
 * address that depends on them. Usage: taint CASE. Built on the host from the C the stub is built from.
 *
 * Two things are public by protocol and are marked so where they come to be: whether a tag was right (the result of bf_equal,
 * by the linker's --wrap) and whether X25519 gave zero. Outputs are marked public when the function is done.
 */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "secretbox.h"
#include "sha512.h"
#include "util.h"
#include "x25519.h"

#define LONGEST 400

typedef void leaky(uint8_t out[32], const uint8_t secret[32]);
extern leaky fine, bad_branch, bad_index, bad_divisor;

static uint8_t secret[1024], message[1024], box[1024], out[1024], nonce[24], point[32];

int __real_bf_equal(const uint8_t *a, const uint8_t *b, size_t len);
int __wrap_bf_equal(const uint8_t *a, const uint8_t *b, size_t len);

int __wrap_bf_equal(const uint8_t *a, const uint8_t *b, size_t len) {
  int equal = __real_bf_equal(a, b, len);
  VALGRIND_MAKE_MEM_DEFINED(&equal, sizeof equal);
  return equal;
}

static void hide(void *p, size_t len) {
  VALGRIND_MAKE_MEM_UNDEFINED(p, len);
}

static void show(void *p, size_t len) {
  VALGRIND_MAKE_MEM_DEFINED(p, len);
}

/* Complains when an output did not come out secret: then the secret never got into the function. */
static void expect_secret(const void *p, size_t len) {
  uint8_t bits[sizeof out];
  VALGRIND_GET_VBITS(p, bits, len);
  uint8_t any = 0;
  for (size_t i = 0; i < len; i++) any |= bits[i];
  if (!any && len > 0) puts("the secret did not arrive");
}

static void fill(void) {
  for (size_t i = 0; i < sizeof secret; i++) secret[i] = (uint8_t)(i * 151 + 7), message[i] = (uint8_t)(i * 31 + 1);
  for (size_t i = 0; i < sizeof nonce; i++) nonce[i] = (uint8_t)(i + 100);
  point[0] = 9;
}

static void x25519(void) {
  hide(secret, 32), hide(point, 32);
  int zero = bf_x25519(out, secret, point);
  show(&zero, sizeof zero);
  expect_secret(out, 32);
}

static void x25519_base(void) {
  hide(secret, 32);
  bf_x25519_base(out, secret);
  expect_secret(out, 32);
}

static void secretbox_seal(void) {
  for (size_t len = 0; len <= LONGEST; len++) {
    fill();
    hide(secret, 32), hide(message, len);
    bf_secretbox_seal(box, message, len, nonce, secret);
    expect_secret(box, len + BF_BOX_TAG);
  }
}

/* Opens what was sealed under a public key, the key and the plaintext then being secret. */
static void secretbox_open(void) {
  for (size_t len = 0; len <= LONGEST; len++) {
    fill();
    bf_secretbox_seal(box, message, len, nonce, secret);
    hide(secret, 32), hide(box, len + BF_BOX_TAG);
    int failed = bf_secretbox_open(out, box, len + BF_BOX_TAG, nonce, secret);
    expect_secret(out, len);
    show(out, sizeof out);
    if (failed || memcmp(out, message, len) != 0) puts("does not open");
  }
}

static void secretbox_refuse(void) {
  for (size_t len = 0; len <= LONGEST; len++) {
    fill();
    hide(secret, 32), hide(box, len + BF_BOX_TAG);
    if (!bf_secretbox_open(out, box, len + BF_BOX_TAG, nonce, secret)) puts("opens");
    show(box, sizeof box);
  }
}

static void sha512(void) {
  for (size_t len = 0; len <= LONGEST; len++) {
    fill();
    hide(message, len);
    bf_sha512_once(out, message, len);
    expect_secret(out, len > 0 ? 64 : 0);
  }
}

static void hmac(void) {
  for (size_t len = 0; len <= LONGEST; len++) {
    fill();
    hide(secret, len), hide(message, len);
    bf_part part = {message, len};
    bf_hmac_parts(out, secret, len, &part, 1);
    expect_secret(out, len > 0 ? 64 : 0);
  }
}

static void hkdf_expand(void) {
  for (size_t len = 0; len <= 64; len++) {
    fill();
    hide(secret, 64), hide(message, 40);
    bf_part part = {message, 40};
    if (bf_hkdf_expand(out, len, secret, 64, &part, 1)) puts("too long");
    expect_secret(out, len);
  }
}

static void equal(void) {
  hide(secret, 64);
  int same = __real_bf_equal(secret, secret + 32, 32);
  expect_secret(&same, sizeof same);
  show(&same, sizeof same);
}

static void run_fine(void) { hide(secret, 32), fine(out, secret); }
static void run_bad_branch(void) { hide(secret, 32), bad_branch(out, secret); }
static void run_bad_index(void) { hide(secret, 32), bad_index(out, secret); }
static void run_bad_divisor(void) { hide(secret, 32), bad_divisor(out, secret); }

static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
    {"x25519", x25519},
    {"x25519_base", x25519_base},
    {"secretbox_seal", secretbox_seal},
    {"secretbox_open", secretbox_open},
    {"secretbox_refuse", secretbox_refuse},
    {"sha512", sha512},
    {"hmac", hmac},
    {"hkdf_expand", hkdf_expand},
    {"equal", equal},
    {"fine", run_fine},
    {"bad_branch", run_bad_branch},
    {"bad_index", run_bad_index},
    {"bad_divisor", run_bad_divisor},
};

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc != 2 || !RUNNING_ON_VALGRIND) return 2;
  fill();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (strcmp(cases[i].name, argv[1]) != 0) continue;
    cases[i].run();
    return 0;
  }
  return 2;
}
