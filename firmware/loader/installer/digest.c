/*
 * Digests (digest.h) as the installer computes them: nothing is remembered, for there is no room
 * for it; a root is read from flash, range by range, when it is asked for.
 */
#include "digest.h"

#include "activity.h"
#include "domain.h"
#include "root.h"
#include "serial_transport.h"
#include "sha512.h"

void digest_begin(void) {}

void digest_forget(const plan *p, chip_sector sector) {
  (void)p;
  (void)sector;
}

void digest_root(const plan *p, uint32_t first, uint32_t count, uint8_t root[64]) {
  bf_sha512 s;
  uint8_t digest[64];
  domain_begin(&s, DOMAIN_ROOT, sizeof DOMAIN_ROOT - 1);
  bf_sha512_update(&s, (const uint8_t *)&count, sizeof count);
  for (uint32_t i = first; i < first + count; i++) {
    activity_begin(ACTIVITY_DIGESTING, i);
    root_hash_range(p->range[i].address, p->range[i].length, 0, digest, serial_look);
    bf_sha512_update(&s, (const uint8_t *)&p->range[i], 8); /* address, length */
    bf_sha512_update(&s, digest, sizeof digest);
  }
  bf_sha512_final(&s, root);
  activity_begin(ACTIVITY_IDLE, 0);
}
