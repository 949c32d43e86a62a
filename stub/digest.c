/* Digests and blank check: see digest.h. */
#include "digest.h"

#include "mbox.h"
#include "outcome.h"
#include "sha512.h"
#include "util.h"
#include "wipe.h"

static SECRET uint8_t digests[PLAN_MAX_RANGES][64];

void digest_range(const plan *p, uint32_t index, uint8_t digest[64]) {
  plan_range r = plan_range_at(p, index);
  mbox_activity(ACTIVITY_DIGESTING, index);
  bf_sha512_once(digest, (const uint8_t *)r.address, r.length);
  mbox_activity(ACTIVITY_IDLE, 0);
}

static void hash_word(bf_sha512 *s, uint32_t value) {
  uint8_t bytes[4];
  bf_store_le32(bytes, value);
  bf_sha512_update(s, bytes, sizeof bytes);
}

void digest_root(const job *j, const chip_sector *only, uint8_t root[64]) {
  bf_sha512 s;
  bf_sha512_init(&s);
  bf_sha512_update(&s, (const uint8_t *)"blindflash/1 root", 17);
  hash_word(&s, j->plan.ranges);
  for (uint32_t i = 0; i < j->plan.ranges; i++) {
    plan_range r = plan_range_at(&j->plan, i);
    if (only == 0 || r.address - only->address < only->size) digest_range(&j->plan, i, digests[i]);
    hash_word(&s, r.address);
    hash_word(&s, r.length);
    bf_sha512_update(&s, digests[i], 64);
  }
  bf_sha512_final(&s, root);
}

/* [from, to) in flash must read FF. */
static int check_span(uint32_t from, uint32_t to) {
  for (; from < to; from += 4)
    if (*(const volatile uint32_t *)from != 0xFFFFFFFFu) return fail(ERROR_NOT_BLANK, from);
  return 0;
}

/* The gaps between the plan's ranges, which ascend and lie on 4 bytes. */
static int check_sector(const plan *p, chip_sector sector) {
  uint32_t from = sector.address, end = sector.address + sector.size;
  for (uint32_t i = 0; i < p->ranges; i++) {
    plan_range r = plan_range_at(p, i);
    if (r.address - sector.address >= sector.size) continue;
    if (check_span(from, r.address)) return 1;
    from = r.address + r.length;
  }
  return check_span(from, end);
}

int digest_check_blank(const job *j, uint32_t mask) {
  for (uint32_t i = 0; i < CHIP_SECTORS; i++)
    if ((mask >> i & 1u) != 0 && check_sector(&j->plan, chip_sector_at(&j->chip, i))) return 1;
  return 0;
}
