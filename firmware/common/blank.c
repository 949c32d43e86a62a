/* What reads FF: see digest.h. */
#include "abort.h"
#include "digest.h"

/* The first word of [from, to) in flash that does not read FF, or `to`. */
static uint32_t find_used(uint32_t from, uint32_t to) {
  while (from < to && *(const volatile uint32_t *)from == 0xFFFFFFFFu) from += 4;
  return from;
}

bool digest_is_blank(chip_sector sector) {
  uint32_t end = sector.address + sector.size;
  return find_used(sector.address, end) == end;
}

/* Fails unless [from, to) in flash reads FF. */
static void check_span(uint32_t from, uint32_t to) {
  uint32_t used = find_used(from, to);
  if (used < to) session_abort(ERROR_NOT_BLANK, used);
}

/* Fails unless the gaps between the plan's ranges, which ascend and lie on 4 bytes, are blank. */
static void check_sector(const plan *p, chip_sector sector) {
  uint32_t from = sector.address, end = sector.address + sector.size;
  for (uint32_t i = 0; i < p->count; i++) {
    plan_range r = p->range[i];
    if (r.address - sector.address >= sector.size) continue;
    check_span(from, r.address);
    from = r.address + r.length;
  }
  check_span(from, end);
}

void digest_check_blank(const job *j, uint32_t mask) {
  for (uint32_t i = 0; i < CHIP_SECTORS; i++)
    if ((mask >> i & 1u) != 0) check_sector(&j->content.is.plan, chip_sector_at(&j->chip, i));
}
