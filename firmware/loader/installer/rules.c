/*
 * What the loader takes and what it notes of an install (program_loader.h): only what its vendor
 * signed for this product, from the floor up, in its place.
 */
#include "abort.h"
#include "chip.h"
#include "config.h"
#include "domain.h"
#include "facts.h"
#include "flash_map.h"
#include "job.h"
#include "journal_write.h"
#include "program.h"
#include "roots.h"
#include "section.h"
#include "slots.h"
#include "update.h"
#include "update_file.h"
#include "util.h"

#define AT(field) offsetof(plan, field)
#define AT_OPTION(index) (AT(options) + 4u * (index))
#define SECTORS_BELOW ((1u << IMAGE_FIRST_SECTOR) - 1u)
#define ROOT_MOST ((64u + 8u + 8u * PLAN_MAX_RANGES + JOURNAL_UNIT - 1u) & ~(JOURNAL_UNIT - 1u))

/* Ranges of the image, as the journal has them; the root of its plaintext is not in plain SRAM. */
static SECTION_LARGE uint32_t ranges[ROOT_MOST / 4];
static SECTION_SECRET uint8_t complete_root[64]; /* of FINAL: with the boot words in place */

static void require(bool good, uint32_t offset) {
  if (!good) session_abort(ERROR_PLAN_MALFORMED, offset);
}

bool program_takes_protection(uint32_t optcr) {
  return chip_is_level1(optcr) && slots_keys() != 0;
}

static uint32_t vendor; /* index of his key among those of the config */

/* A file names its key by a hash, a job by itself. */
static bool is_named(const config_key *vendor_key) {
  uint8_t id[64];
  bf_sha512 s;
  if (!file_in_hand())
    return bf_equal(vendor_key->key, current_job.content.is.sealed_key, 32) != 0;
  domain_begin(&s, DOMAIN_FILES_KEY, sizeof DOMAIN_FILES_KEY); /* with its zero byte */
  bf_sha512_update(&s, vendor_key->key, 32);
  bf_sha512_final(&s, id);
  return bf_equal(id, file_header() + UPDATE_AT_FILES_KEY_ID, UPDATE_FILES_KEY_ID) != 0;
}

uint32_t program_vendor(void) {
  return vendor;
}

/* The vendor's key has the role the kind needs, and was not cleared; nor clears it itself. */
static void check_key(const plan *p) {
  const config_key *keys = config_in_flash()->keys;
  uint32_t index = 0, cleared = journal_read().mask;
  uint32_t role = p->kind == PROGRAM_KIND_KEYS ? CONFIG_ROLE_KEYS : CONFIG_ROLE_SESSIONS;
  if (file_in_hand()) role = CONFIG_ROLE_FILES;
  while (index < CONFIG_KEYS && !is_named(&keys[index])) index++;
  if (p->kind == PROGRAM_KIND_KEYS) cleared |= p->options[PLAN_PRODUCT];
  if (index == CONFIG_KEYS || (cleared >> index & 1u) != 0 ||
      (keys[index].roles & role) == 0)
    session_abort(ERROR_VENDOR_KEY, index);
  vendor = index;
}

/* Nobody gets a hash of the device's keys, whatever he may ask for. */
static void check_ranges(const plan *p) {
  for (uint32_t i = 0; i < p->count; i++)
    require(!ranges_overlap(p->range[i].address, p->range[i].length, LOADER_SLOTS,
                            LOADER_SLOTS_SIZE),
            AT(range) + i * sizeof p->range[0]);
}

/* What a file's plan has not: a job's id, another kind, flags, ranges that are only compared. */
static void check_file(const plan *p) {
  uint32_t id = 0;
  for (uint32_t i = 0; i < sizeof p->id; i++) id |= p->id[i];
  require(p->kind == KIND_FLASH, AT(kind));
  require(id == 0, AT(id));
  require(p->flags == 0, AT(flags));
  for (uint32_t i = 0; i < p->count; i++)
    require(p->range[i].use == USE_PROGRAM, AT(range) + i * sizeof p->range[0]);
}

void program_check_plan(const void *plan_bytes) {
  const plan *p = plan_bytes;
  const uint32_t *options = p->options;
  require((PROGRAM_KINDS >> p->kind & 1u) != 0, AT(kind));
  require(p->lock == 0, AT(lock));
  if (file_in_hand()) check_file(p);
  check_key(p);
  check_ranges(p);
  if (p->kind == PROGRAM_KIND_KEYS) {
    require(options[PLAN_PRODUCT] != 0 && options[PLAN_PRODUCT] >> CONFIG_KEYS == 0,
            AT_OPTION(PLAN_PRODUCT));
    return;
  }
  bool unnamed = p->kind != KIND_FLASH && options[PLAN_PRODUCT] == 0;
  require(unnamed || options[PLAN_PRODUCT] == facts_config()->product, AT_OPTION(PLAN_PRODUCT));
  if (p->kind != KIND_FLASH) return;
  require(options[PLAN_VERSION] >= journal_read().floor, AT_OPTION(PLAN_VERSION));
  require(options[PLAN_FLOOR] <= options[PLAN_VERSION], AT_OPTION(PLAN_FLOOR));
  require((p->sectors & SECTORS_BELOW) == 0, AT(sectors));
  require(p->boot == IMAGE_START, AT(boot));
}

void program_begin_install(void) {
  journal_begin();
  facts_refresh();
}

/* What was programmed, by its ranges; what is only digested may change in the image's life. */
static void write_ranges(const plan *p) {
  journal_root *to = (journal_root *)ranges;
  uint32_t count = 0;
  bf_wipe(ranges, sizeof ranges);
  for (uint32_t i = 0; i < p->count; i++)
    if (p->range[i].use == USE_PROGRAM) {
      to->range[count].address = p->range[i].address;
      to->range[count].length = p->range[i].length;
      count++;
    }
  to->count = count;
}

/* A function of its own, for its part of the stack is large. */
__attribute__((noinline)) static void complete(const plan *p) {
  uint32_t follows[ROOT_MOST / 4];
  bf_copy((uint8_t *)follows, (const uint8_t *)ranges, sizeof follows);
  bf_copy(((journal_root *)follows)->root, complete_root, sizeof complete_root);
  journal_complete(p->options[PLAN_VERSION], p->options[PLAN_FLOOR], follows,
                   journal_root_bytes(((const journal_root *)ranges)->count));
  bf_wipe(follows, sizeof follows);
}

void program_final_root(const void *plan_bytes, const uint8_t boot_words[64], uint8_t root[64]) {
  const plan *p = plan_bytes;
  write_ranges(p);
  digest_roots(p, 0, p->count, root, boot_words, ((const journal_root *)ranges)->count,
               complete_root);
}

void program_check_final(const void *plan_bytes, uint32_t erased) {
  const plan *p = plan_bytes;
  if (!file_in_hand()) return;
  if (erased != p->sectors) session_abort(ERROR_ORDER, SEALED_FINAL);
  file_check_root(complete_root);
}

void program_end_install(const void *plan_bytes, const uint8_t boot_words[64]) {
  const plan *p = plan_bytes;
  if (!bf_equal((const uint8_t *)p->boot, boot_words, BOOT_BYTES))
    session_abort(ERROR_DIGEST_DIFFERS, NO_ADDRESS);
  complete(p);
  facts_refresh();
}

void program_end_session(void) {
  const plan *p = job_plan();
  if (p->kind == PROGRAM_KIND_KEYS) journal_clear_keys(p->options[PLAN_PRODUCT]);
  if (file_in_hand()) file_end();
  journal_end_use(file_in_hand() ? USE_OFFLINE : USE_ORDERLY);
}
