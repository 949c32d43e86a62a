/* The root, for boot and installer: see root.h. */
#include "root.h"

#include "domain.h"
#include "protocol.h"

#define CHUNK 1024u

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
    part = length < CHUNK ? length : CHUNK;
    bf_sha512_update(&s, (const uint8_t *)address, part);
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
