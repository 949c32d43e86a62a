/*
 * What the loader takes and what it notes of an install (program_loader.h): only what its vendor
 * signed for this product, from the floor up, in its place.
 */
#include "abort.h"
#include "chip.h"
#include "config.h"
#include "facts.h"
#include "flash_map.h"
#include "job.h"
#include "journal_write.h"
#include "program.h"
#include "root.h"
#include "section.h"
#include "serial_transport.h"
#include "slots.h"
#include "util.h"

#define AT(field) offsetof(plan, field)
#define AT_OPTION(index) (AT(options) + 4u * (index))
#define SECTORS_BELOW ((1u << IMAGE_FIRST_SECTOR) - 1u)
#define ROOT_MOST ((64u + 8u + 8u * PLAN_MAX_RANGES + JOURNAL_UNIT - 1u) & ~(JOURNAL_UNIT - 1u))

/* Ranges of the image, as the journal has them; the root of its plaintext is not in plain SRAM. */
static SECTION_LARGE uint32_t ranges[ROOT_MOST / 4];

static void require(bool good, uint32_t offset) {
  if (!good) session_abort(ERROR_PLAN_MALFORMED, offset);
}

bool program_takes_protection(uint32_t optcr) {
  return chip_is_level1(optcr) && slots_keys() != 0;
}

/* Index of the key the job names among those of the config, or CONFIG_KEYS. */
static uint32_t find_key(const uint8_t *key) {
  uint32_t i = 0;
  while (i < CONFIG_KEYS && !bf_equal(config_in_flash()->keys[i].key, key, 32)) i++;
  return i;
}

/* The vendor's key has the role the kind needs, and was not cleared; nor clears it itself. */
static void check_key(const plan *p) {
  uint32_t index = find_key(current_job.content.is.sealed_key);
  uint32_t cleared = journal_read().mask;
  uint32_t role = p->kind == PROGRAM_KIND_KEYS ? CONFIG_ROLE_KEYS : CONFIG_ROLE_SESSIONS;
  if (p->kind == PROGRAM_KIND_KEYS) cleared |= p->options[PLAN_PRODUCT];
  if (index == CONFIG_KEYS || (cleared >> index & 1u) != 0 ||
      (config_in_flash()->keys[index].roles & role) == 0)
    session_abort(ERROR_VENDOR_KEY, index);
}

/* Nobody gets a hash of the device's keys, whatever he may ask for. */
static void check_ranges(const plan *p) {
  for (uint32_t i = 0; i < p->count; i++)
    require(!ranges_overlap(p->range[i].address, p->range[i].length, LOADER_SLOTS,
                            LOADER_SLOTS_SIZE),
            AT(range) + i * sizeof p->range[0]);
}

void program_check_plan(const void *plan_bytes) {
  const plan *p = plan_bytes;
  const uint32_t *options = p->options;
  require((PROGRAM_KINDS >> p->kind & 1u) != 0, AT(kind));
  require(p->lock == 0, AT(lock));
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
__attribute__((noinline)) static void complete(const plan *p, const uint8_t root[64]) {
  uint32_t follows[ROOT_MOST / 4];
  bf_copy((uint8_t *)follows, (const uint8_t *)ranges, sizeof follows);
  bf_copy(((journal_root *)follows)->root, root, 64);
  journal_complete(p->options[PLAN_VERSION], p->options[PLAN_FLOOR], follows,
                   journal_root_bytes(((const journal_root *)ranges)->count));
  bf_wipe(follows, sizeof follows);
}

void program_end_install(const void *plan_bytes, const uint8_t boot_words[64]) {
  const plan *p = plan_bytes;
  uint8_t root[64];
  if (!bf_equal((const uint8_t *)p->boot, boot_words, BOOT_BYTES))
    session_abort(ERROR_DIGEST_DIFFERS, NO_ADDRESS);
  write_ranges(p);
  root_of_flash((const journal_root *)ranges, root, serial_look);
  complete(p, root);
  bf_wipe(root, sizeof root);
  facts_refresh();
}

void program_end_session(void) {
  const plan *p = job_plan();
  if (p->kind == PROGRAM_KIND_KEYS) journal_clear_keys(p->options[PLAN_PRODUCT]);
  journal_end_use();
}
