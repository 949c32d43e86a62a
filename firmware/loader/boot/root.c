/* The root as boot computes it: see root.h. */
#include "root.h"

#include "domain.h"
#include "protocol.h"
#include "sha512.h"

void root_of_flash(const journal_root *of, uint8_t root[64]) {
  bf_sha512 s;
  uint8_t digest[64];
  domain_begin(&s, DOMAIN_ROOT, sizeof DOMAIN_ROOT - 1);
  bf_sha512_update(&s, (const uint8_t *)&of->count, sizeof of->count);
  for (uint32_t i = 0; i < of->count; i++) {
    bf_sha512_once(digest, (const uint8_t *)of->range[i].address, of->range[i].length);
    bf_sha512_update(&s, (const uint8_t *)&of->range[i], sizeof of->range[i]);
    bf_sha512_update(&s, digest, sizeof digest);
  }
  bf_sha512_final(&s, root);
}
