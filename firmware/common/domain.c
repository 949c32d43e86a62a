/* Names of hashes: see domain.h. */
#include "domain.h"

void domain_begin(bf_sha512 *s, const char *name, uint32_t length) {
  bf_sha512_init(s);
  bf_sha512_update(s, (const uint8_t *)"blindflash/1 ", 13);
  bf_sha512_update(s, (const uint8_t *)name, length);
}
