/* Reading the journal: see journal.h. */
#include "journal.h"

#include "crc32.h"
#include "flash_map.h"
#include "util.h"

#define RECORD_WORDS 7u /* what the checksum begins with */
#define ROOT_HEAD offsetof(journal_root, range)

_Static_assert(sizeof(journal_record) == JOURNAL_UNIT, "a record is a unit");

static bool is_blank(uint32_t from, uint32_t bytes) {
  uint32_t all = 0xFFFFFFFFu;
  for (; bytes > 0; bytes -= 4, from += 4) all &= *(const volatile uint32_t *)from;
  return all == 0xFFFFFFFFu;
}

uint32_t journal_root_bytes(uint32_t count) {
  return (ROOT_HEAD + 8u * count + JOURNAL_UNIT - 1) & ~(JOURNAL_UNIT - 1);
}

const journal_root *journal_root_of(const journal_record *record) {
  return (const journal_root *)(record + 1);
}

static bool known_kind(uint32_t kind) {
  return kind == JOURNAL_BANK || kind == JOURNAL_BEGIN || kind == JOURNAL_COMPLETE ||
         kind == JOURNAL_MASK;
}

bool journal_record_good(const journal_record *r, uint32_t end) {
  if (!known_kind(r->kind) || r->length > end - (uint32_t)(r + 1) ||
      r->length % JOURNAL_UNIT != 0)
    return false;
  crc32_begin();
  (void)crc32_add((const uint8_t *)r, RECORD_WORDS);
  if (r->crc != crc32_add((const uint8_t *)(r + 1), r->length / 4)) return false;
  if (r->kind != JOURNAL_COMPLETE) return r->length == 0;
  const journal_root *root = journal_root_of(r);
  return r->length >= ROOT_HEAD && root->count <= PLAN_MAX_RANGES &&
         r->length == journal_root_bytes(root->count);
}

/* The record that makes a bank one, or NULL. */
static const journal_record *bank_record(uint32_t bank) {
  const journal_record *r = (const journal_record *)bank;
  return r->kind == JOURNAL_BANK && journal_record_good(r, bank + JOURNAL_BANK_SIZE) ? r : 0;
}

static uint32_t bank_in_use(void) {
  const journal_record *a = bank_record(JOURNAL_BANK_0), *b = bank_record(JOURNAL_BANK_1);
  if (a != 0 && b != 0) return (int32_t)(b->sequence - a->sequence) > 0 ? (uint32_t)b : (uint32_t)a;
  return (uint32_t)(a != 0 ? a : b);
}

/* From the newest unit back, until all is found that is looked for. */
void journal_look(journal_view *view) {
  bf_wipe(view, sizeof *view);
  view->bank = bank_in_use();
  if (view->bank == 0) return;
  uint32_t end = view->bank + JOURNAL_BANK_SIZE, unit = end;
  while (is_blank(unit - JOURNAL_UNIT, JOURNAL_UNIT)) unit -= JOURNAL_UNIT;
  view->end = unit;
  while (unit > view->bank && (view->install == 0 || view->uses == 0)) {
    unit -= JOURNAL_UNIT;
    const journal_record *r = (const journal_record *)unit;
    if (r->kind == JOURNAL_USES) {
      if (view->uses == 0) view->uses = (const uint32_t *)r;
    } else if (journal_record_good(r, end)) {
      if (view->newest == 0) view->newest = r;
      if (view->install == 0 && (r->kind == JOURNAL_BEGIN || r->kind == JOURNAL_COMPLETE))
        view->install = r;
    }
  }
}

const uint32_t *journal_last_use(const journal_view *view) {
  const uint32_t *last = 0;
  for (uint32_t i = 1; view->uses != 0 && i <= USES_IN_UNIT; i++)
    if (view->uses[i] != USE_FREE) last = &view->uses[i];
  return last;
}

bool journal_use_is_open(uint32_t word) {
  return word != USE_FREE && word >> 24 != 0;
}
