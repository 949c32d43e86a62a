/* The plan and its rules: see plan.h. DETAIL of a malformed plan is the offset of the offending field. */
#include "plan.h"

#include "mailbox.h"
#include "outcome.h"
#include "registers.h"
#include "sha512.h"
#include "util.h"

#define AT_MAGIC 0
#define AT_LENGTH 4
#define AT_KIND 6
#define AT_MODE 7
#define AT_DEV_ID 24
#define AT_FLASH_KIB 26
#define AT_IDLE 28
#define AT_SECTORS 32
#define AT_BOOT 36
#define AT_PSIZE 40
#define AT_LOCK 41
#define AT_FINAL 42
#define AT_RANGES 43
#define AT_LABEL 44
#define AT_ZEROS 45

#define MAGIC 0x31504642u /* "BFP1" */
#define RANGE_BYTES 12u
#define LABEL_MAX 64u
#define IDLE_LEAST 1000u
#define IDLE_MOST 3600000u

/* What a kind erases, programs and only digests: 0 nothing, 1 at least one, 2 as it likes. */
static const uint8_t SHAPE[][3] = {
    [KIND_FLASH] = {1, 1, 2}, [KIND_VERIFY] = {0, 0, 1}, [KIND_ERASE] = {1, 0, 0}, [KIND_INFO] = {0, 0, 0}, [KIND_RESET] = {0, 0, 0},
};

static uint32_t load16(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

/* The offset of the first byte that is not zero, or `to`. */
static uint32_t first_nonzero(const uint8_t *bytes, uint32_t from, uint32_t to) {
  while (from < to && bytes[from] == 0) from++;
  return from;
}

static int bad(uint32_t offset) {
  return fail(ERROR_PLAN_MALFORMED, offset);
}

plan_range plan_range_at(const plan *p, uint32_t index) {
  const uint8_t *at = p->bytes + PLAN_HEAD_BYTES + RANGE_BYTES * index;
  return (plan_range){bf_load_le32(at), bf_load_le32(at + 4), bf_load_le32(at + 8)};
}

int spans_meet(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len) {
  return a - b < b_len || b - a < a_len;
}

int plan_may_program(const plan *p, uint32_t address, uint32_t length) {
  for (uint32_t i = 0; i < p->ranges; i++) {
    plan_range r = plan_range_at(p, i);
    uint32_t into = address - r.address;
    if (r.use == USE_PROGRAM && into < r.length && length <= r.length - into) return 1;
  }
  return 0;
}

void plan_hash(const plan *p, uint8_t hash[64]) {
  static const uint8_t DOMAIN[] = "blindflash/1 plan"; /* with its zero byte */
  bf_sha512 s;
  bf_sha512_init(&s);
  bf_sha512_update(&s, DOMAIN, sizeof DOMAIN);
  bf_sha512_update(&s, p->bytes, p->length);
  bf_sha512_final(&s, hash);
}

/* Lengths and the fields that stand for themselves. */
static int check_head(plan *p) {
  const uint8_t *b = p->bytes;
  if (p->length < PLAN_HEAD_BYTES || bf_load_le32(b + AT_MAGIC) != MAGIC) return bad(AT_MAGIC);
  uint32_t label = b[AT_LABEL];
  if (p->ranges > PLAN_MAX_RANGES) return bad(AT_RANGES);
  if (label > LABEL_MAX) return bad(AT_LABEL);
  uint32_t used = PLAN_HEAD_BYTES + RANGE_BYTES * p->ranges + label;
  if (load16(b + AT_LENGTH) != p->length || p->length != ((used + 3u) & ~3u)) return bad(AT_LENGTH);
  if (first_nonzero(b, AT_ZEROS, PLAN_HEAD_BYTES) != PLAN_HEAD_BYTES) return bad(AT_ZEROS);
  if (first_nonzero(b, used, p->length) != p->length) return bad(used);
  if (p->kind < KIND_FLASH || p->kind > KIND_RESET) return bad(AT_KIND);
  if (b[AT_MODE] != 1) return bad(AT_MODE);
  if (p->idle_ms < IDLE_LEAST || p->idle_ms > IDLE_MOST) return bad(AT_IDLE);
  if (p->psize > 2) return bad(AT_PSIZE);
  if (p->lock > (p->kind == KIND_FLASH)) return bad(AT_LOCK);
  return b[AT_FINAL] > 1 ? bad(AT_FINAL) : 0;
}

static int check_chip(const plan *p, const chip_geometry *chip) {
  uint32_t id = DBGMCU_IDCODE & 0xFFFu, kib = load16(p->bytes + AT_FLASH_KIB);
  if (id != CHIP_DEV_ID || load16(p->bytes + AT_DEV_ID) != id) return fail(ERROR_WRONG_CHIP, id);
  if (kib != chip->flash_kib && (kib != 0 || p->kind < KIND_INFO)) return fail(ERROR_WRONG_CHIP, chip->flash_kib);
  return 0;
}

static int check_sectors(const plan *p, const chip_geometry *chip) {
  for (uint32_t i = 0; i < 32; i++)
    if ((p->sectors >> i & 1u) != 0 && chip_sector_at(chip, i).size == 0) return bad(AT_SECTORS);
  return 0;
}

/* Each range by itself and after the one before; counts the uses. */
static int check_ranges(const plan *p, const chip_geometry *chip, uint32_t counts[3]) {
  uint32_t end = 0;
  for (uint32_t i = 0; i < p->ranges; i++) {
    plan_range r = plan_range_at(p, i);
    uint32_t offset = PLAN_HEAD_BYTES + RANGE_BYTES * i;
    if (r.address < end || ((r.address | r.length) & 3u) != 0 || r.length == 0) return bad(offset);
    uint32_t sector = chip_find_sector(chip, r.address, r.length);
    if (sector == CHIP_SECTORS) return bad(offset);
    if (r.use != USE_PROGRAM && r.use != USE_DIGEST) return bad(offset + 8);
    if (r.use == USE_PROGRAM && (p->sectors >> sector & 1u) == 0) return bad(offset);
    counts[r.use]++;
    end = r.address + r.length;
  }
  return 0;
}

static int check_shape(const plan *p, const uint32_t counts[3]) {
  for (uint32_t i = 0; i < 3; i++) {
    uint32_t allowed = SHAPE[p->kind][i];
    if (allowed != 2 && (counts[i] != 0) != allowed) return bad(i == 0 ? AT_SECTORS : AT_RANGES);
  }
  if (p->kind != KIND_FLASH) return p->boot == NO_ADDRESS ? 0 : bad(AT_BOOT);
  return (p->boot & 3u) == 0 && plan_may_program(p, p->boot, BOOT_BYTES) ? 0 : bad(AT_BOOT);
}

int plan_parse(plan *p, const uint8_t *bytes, uint32_t length, const chip_geometry *chip) {
  *p = (plan){.bytes = bytes,
              .length = length,
              .kind = bytes[AT_KIND],
              .idle_ms = bf_load_le32(bytes + AT_IDLE),
              .sectors = bf_load_le32(bytes + AT_SECTORS),
              .boot = bf_load_le32(bytes + AT_BOOT),
              .psize = bytes[AT_PSIZE],
              .lock = bytes[AT_LOCK],
              .ranges = bytes[AT_RANGES]};
  uint32_t counts[3] = {p->sectors, 0, 0};
  return check_head(p) || check_chip(p, chip) || check_sectors(p, chip) || check_ranges(p, chip, counts) ||
         check_shape(p, counts);
}
