/*
 * The plan and its rules: see plan.h. DETAIL of a malformed plan is the offset of the offending
 * field.
 */
#include "plan.h"
#include "domain.h"
#include "flag.h"

#include "abort.h"
#include "program.h"
#include "sha512.h"
#include "util.h"

#define AT(field) offsetof(plan, field)

_Static_assert(AT(range) == PLAN_HEAD_BYTES && sizeof(plan) == PLAN_HEAD_BYTES,
               "the head of a plan as protocol.h has it");
_Static_assert(PLAN_HEAD_BYTES + PLAN_MAX_RANGES * sizeof(plan_range) + PLAN_MAX_LABEL <=
                   PLAN_MAX_BYTES,
               "the longest plan has its place");

/* Fields of one byte that are checked by themselves: offset, least value, most. */
static const uint8_t FIELDS[][3] = {
    {AT(kind), STUB_KIND_FIRST, PROGRAM_KIND_LAST},
    {AT(mode), PROGRAM_MODE_FIRST, PROGRAM_MODE_LAST},
    {AT(psize), WIDTH_X8, WIDTH_X32},
    {AT(lock), 0, LOCK_LEVEL_1_SECTOR_0},
    {AT(final), 0, 1},
    {AT(count), 0, PLAN_MAX_RANGES},
    {AT(label), 0, PLAN_MAX_LABEL},
};

/* What a kind erases, programs and only digests: a plan_count each; then its flags. */
static const uint8_t SHAPE[][4] = {PROGRAM_SHAPES};

/* Fails with `offset` unless `good`. */
BF_INLINE void require(flag good, uint32_t offset) {
  if (!good) session_abort(ERROR_PLAN_MALFORMED, offset);
}

bool ranges_overlap(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len) {
  return a - b < b_len || b - a < a_len;
}

uint32_t plan_find_range(const plan *p, uint32_t address, uint32_t length) {
  uint32_t i = 0;
  for (; i < p->count; i++) {
    const plan_range *r = &p->range[i];
    uint32_t into = address - r->address;
    if (r->use == USE_PROGRAM && into < r->length && length <= r->length - into) break;
  }
  return i;
}

void plan_hash(const plan *p, uint8_t hash[64]) {
  bf_sha512 s;
  domain_begin(&s, DOMAIN_PLAN, sizeof DOMAIN_PLAN); /* with its zero byte */
  bf_sha512_update(&s, (const uint8_t *)p, p->length);
  bf_sha512_final(&s, hash);
}

/* Lengths, and the fields that are checked by themselves. */
static void check_head(const plan *p, uint32_t length) {
  const uint8_t *bytes = (const uint8_t *)p;
  require(length >= PLAN_HEAD_BYTES && p->magic == PLAN_MAGIC, AT(magic));
  for (uint32_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
    const uint8_t *f = FIELDS[i];
    require(bytes[f[0]] >= f[1] && bytes[f[0]] <= f[2], f[0]);
  }
  uint32_t unknown = p->flags & ~(uint32_t)SHAPE[p->kind][3];
  bool keeps = (p->flags & FLAG_KEEP_LIFTED) != 0,
       lifts = (p->flags & FLAG_LIFT_WRITE_PROTECTION) != 0;
  require(unknown == 0 && (lifts || !keeps), AT(flags));
  require((p->zeros[0] | p->zeros[1]) == 0, AT(zeros));
  for (uint32_t i = PROGRAM_OPTION_WORDS; i < 4; i++) require(p->options[i] == 0, AT(options));
  uint32_t used = PLAN_HEAD_BYTES + sizeof(plan_range) * p->count + p->label;
  require(p->length == length && length == ((used + 3u) & ~3u), AT(length));
  for (; used < length; used++) require(bytes[used] == 0, used);
  require(p->idle_ms >= PLAN_IDLE_LEAST && p->idle_ms <= PLAN_IDLE_MOST, AT(idle_ms));
  require(p->lock == 0 || p->kind == KIND_FLASH, AT(lock));
}

static void check_chip(const plan *p, const chip_geometry *chip) {
  uint32_t id = chip_dev_id();
  if (!CHIP_IS(id) || p->dev_id != id) session_abort(ERROR_WRONG_CHIP, id);
  if (p->flash_kib != chip->flash_kib) session_abort(ERROR_WRONG_CHIP, chip->flash_kib);
}

static void check_sectors(const plan *p, const chip_geometry *chip) {
  for (uint32_t i = 0; i < 32; i++)
    require((p->sectors >> i & 1u) == 0 || chip_sector_at(chip, i).size != 0, AT(sectors));
}

/* Each range by itself and after the one before; counts them by their use (range_use). */
static void check_ranges(const plan *p, const chip_geometry *chip, uint32_t counts[3]) {
  uint32_t end = 0;
  for (uint32_t i = 0; i < p->count; i++) {
    const plan_range *r = &p->range[i];
    uint32_t offset = PLAN_HEAD_BYTES + sizeof *r * i,
             sector = chip_find_sector(chip, r->address, r->length);
    require(r->address >= end && ((r->address | r->length) & 3u) == 0 && r->length != 0 &&
                sector != CHIP_SECTORS,
            offset);
    require(r->use == USE_PROGRAM || r->use == USE_DIGEST, offset + 8);
    require(r->use == USE_DIGEST || (p->sectors >> sector & 1u) != 0, offset);
    counts[r->use]++;
    end = r->address + r->length;
  }
}

/* `counts`: sectors to erase, ranges to program, ranges only to digest. */
static void check_shape(const plan *p, const uint32_t counts[3]) {
  for (uint32_t i = 0; i < 3; i++) {
    uint32_t allowed = SHAPE[p->kind][i];
    require(allowed == COUNT_ANY || (counts[i] != 0) == allowed, i == 0 ? AT(sectors) : AT(count));
  }
  bool boots = (p->boot & 3u) == 0 && plan_find_range(p, p->boot, BOOT_BYTES) != p->count;
  /* what is flashed without boot words is data: it stays away from what the chip starts from */
  bool data = p->boot == NO_ADDRESS && (p->sectors & 1u) == 0 && p->lock == 0;
  require(p->kind == KIND_FLASH ? boots || data : p->boot == NO_ADDRESS, AT(boot));
}

void plan_check(const plan *p, uint32_t length, const chip_geometry *chip) {
  uint32_t counts[3] = {p->sectors, 0, 0};
  check_head(p, length);
  check_chip(p, chip);
  check_sectors(p, chip);
  check_ranges(p, chip, counts);
  check_shape(p, counts);
  program_check_plan(p);
}
