/* The root, for boot and installer: see root.h. */
#include "root.h"

#include "domain.h"
#include "internal.h"
#include "protocol.h"

#define CHUNK 1024u

/* Adds what is at `data`, no key: whole blocks by the fast way. How many bytes that was. */
static uint32_t add_part(bf_sha512 *s, const uint8_t *data, uint32_t most) {
  uint32_t done = 0;
  if (s->bytes % BF_SHA512_BLOCK == 0 && most >= CHUNK) {
    for (; done < CHUNK; done += BF_SHA512_BLOCK) bf_sha512_compress_open(s->h, data + done);
    s->bytes += CHUNK;
    return CHUNK;
  }
  done = most < BOOT_BYTES ? most : BOOT_BYTES; /* behind boot words laid over: up to a block */
  bf_sha512_update(s, data, done);
  return done;
}

void root_hash_range(uint32_t address, uint32_t length, const uint8_t over[64], uint8_t digest[64],
                     void (*between)(void)) {
  bf_sha512 s;
  bf_sha512_init(&s);
  if (over != 0) {
    bf_sha512_update(&s, over, BOOT_BYTES);
    address += BOOT_BYTES;
    length -= BOOT_BYTES;
  }
  for (uint32_t part; length > 0; address += part, length -= part) {
    part = add_part(&s, (const uint8_t *)address, length);
    if (between != 0) between();
  }
  bf_sha512_final(&s, digest);
}

void root_begin(bf_sha512 *s, uint32_t count) {
  domain_begin(s, DOMAIN_ROOT, sizeof DOMAIN_ROOT - 1);
  bf_sha512_update(s, (const uint8_t *)&count, sizeof count);
}

void root_add(bf_sha512 *s, const void *range, const uint8_t digest[64]) {
  bf_sha512_update(s, range, 8);
  bf_sha512_update(s, digest, 64);
}

void root_of_flash(const journal_root *of, uint8_t root[64], void (*between)(void)) {
  bf_sha512 s;
  uint8_t digest[64];
  root_begin(&s, of->count);
  for (uint32_t i = 0; i < of->count; i++) {
    root_hash_range(of->range[i].address, of->range[i].length, 0, digest, between);
    root_add(&s, &of->range[i], digest);
  }
  bf_sha512_final(&s, root);
}
