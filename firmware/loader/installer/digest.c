/*
 * Digests (digest.h) as the installer computes them: nothing is remembered, for there is no room
 * for it; a root is read from flash, range by range, when it is asked for.
 */
#include "digest.h"

#include "activity.h"
#include "root.h"
#include "roots.h"
#include "serial_transport.h"

void digest_begin(void) {}

void digest_forget(const plan *p, chip_sector sector) {
  (void)p;
  (void)sector;
}

void digest_roots(const plan *p, uint32_t first, uint32_t count, uint8_t root[64],
                  const uint8_t *boot_words, uint32_t programmed, uint8_t *complete) {
  bf_sha512 all, image;
  uint8_t digest[64];
  root_begin(&all, count);
  root_begin(&image, programmed);
  for (uint32_t i = first; i < first + count; i++) {
    const plan_range *r = &p->range[i];
    activity_begin(ACTIVITY_DIGESTING, i);
    root_hash_range(r->address, r->length, 0, digest, serial_look);
    root_add(&all, r, digest);
    if (boot_words != 0 && r->address == p->boot)
      root_hash_range(r->address, r->length, boot_words, digest, serial_look);
    if (r->use == USE_PROGRAM) root_add(&image, r, digest);
  }
  bf_sha512_final(&all, root);
  if (boot_words != 0) bf_sha512_final(&image, complete);
  activity_begin(ACTIVITY_IDLE, 0);
}

void digest_root(const plan *p, uint32_t first, uint32_t count, uint8_t root[64]) {
  digest_roots(p, first, count, root, 0, 0, 0);
}
