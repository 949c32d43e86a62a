/*
 * crypto-lines: the stub's primitives behind a line protocol, for the vectors and fuzzing of
 * test/interop/firmware-host.
 *
 * A request is one line: a verb and its arguments, hex strings or decimal numbers, separated by one
 * space; `-` is the empty string. The answer is one line of the same kind.
 */
#include <stdio.h>
#include <string.h>

#include "verbs.h"

/* place N: where later strings begin. */
static void do_place(const request *r) {
  lines_place = number(r, 1);
  puts("ok");
}

static const struct {
  const char *verb;
  verb *run;
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

/*
 * crypto-lines [REQUESTS ANSWERS]: files in place of stdin and stdout, for an emulator without
 * pipes.
 */
int main(int argc, char **argv) {
  if (argc == 3 && (freopen(argv[1], "r", stdin) == NULL || freopen(argv[2], "w", stdout) == NULL))
    die("no such file");
  request r;
  while (next_request(&r)) answer_request(&r);
  return fflush(stdout) == 0 ? 0 : 2;
}
