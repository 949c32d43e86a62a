/* Names of hashes: see domain.h. */
#include "domain.h"

#include "protocol.h"

void domain_begin(bf_sha512 *s, const char *name, uint32_t length) {
  bf_sha512_init(s);
  bf_sha512_update(s, (const uint8_t *)DOMAIN_PREFIX, sizeof DOMAIN_PREFIX - 1);
  bf_sha512_update(s, (const uint8_t *)name, length);
}
