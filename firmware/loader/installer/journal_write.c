/* Writing the journal: see journal_write.h. */
#include "journal_write.h"

#include "abort.h"
#include "config.h"
#include "crc32.h"
#include "flash.h"
#include "flash_map.h"
#include "section.h"
#include "serial_transport.h"
#include "util.h"

#define UNIT_WORDS (JOURNAL_UNIT / 4u)
#define HEAD_BYTES (JOURNAL_UNIT - 4u) /* what the checksum begins with, and is programmed first */
/* Broken uses that a change of banks takes along: more make no wait longer. */
#define BROKEN_KEPT (4u * USES_IN_UNIT)
/* Files whose tries it takes along: the newest ones. */
#define FILES_KEPT 64u

/* What is programmed; the engine clears it. A root, which is of plaintext, passes through. */
static SECTION_SECRET uint32_t unit[UNIT_WORDS];
static bool completed; /* since the start */

/* Programs `bytes` of RAM, which then hold what flash reads, and waits. */
static void program(uint32_t to, void *from, uint32_t bytes) {
  flash_unlock();
  (void)flash_program(to, from, bytes, 0);
  flash_wait();
}

static void program_word(uint32_t to, uint32_t value) {
  unit[0] = value;
  program(to, unit, 4);
  if (unit[0] != value) session_abort(ERROR_FLASH_ERROR, to);
}

journal_facts journal_read(void) {
  journal_view view;
  journal_facts facts = {0, 0, 0, 0};
  journal_look(&view);
  if (view.newest == 0) return facts;
  facts.version = view.newest->version;
  facts.floor = view.newest->floor;
  facts.mask = view.newest->mask;
  if (view.install != 0 && view.install->kind == JOURNAL_COMPLETE) facts.complete = view.install;
  return facts;
}

/* Records are checked by being read again: the newest must be this one. */
static void check_newest(uint32_t at) {
  journal_view view;
  journal_look(&view);
  if ((uint32_t)view.newest != at) session_abort(ERROR_FLASH_ERROR, at);
}

/* Copies units as they are. */
static uint32_t copy_units(uint32_t to, const void *from, uint32_t bytes) {
  const uint8_t *next = from;
  for (; bytes > 0; bytes -= JOURNAL_UNIT, next += JOURNAL_UNIT, to += JOURNAL_UNIT) {
    bf_copy((uint8_t *)unit, next, JOURNAL_UNIT);
    program(to, unit, JOURNAL_UNIT);
  }
  return to;
}

/* A record at `at`; what follows it first, the checksum last. Where the next unit begins. */
static uint32_t program_record(uint32_t at, journal_record *r, const void *follows) {
  crc32_begin();
  r->crc = crc32_add((const uint8_t *)r, HEAD_BYTES / 4);
  if (r->length != 0) r->crc = crc32_add(follows, r->length / 4);
  uint32_t crc = r->crc;
  uint32_t end = copy_units(at + JOURNAL_UNIT, follows, r->length);
  program(at, r, HEAD_BYTES);
  program_word(at + HEAD_BYTES, crc);
  return end;
}

/* `last` is the word of the last one: a session that runs stays open. */
static uint32_t add_broken_uses(uint32_t to, uint32_t broken, uint32_t last) {
  for (; broken > 0; to += JOURNAL_UNIT) {
    bf_wipe(unit, sizeof unit);
    unit[0] = JOURNAL_USES;
    for (uint32_t i = 1; i < UNIT_WORDS; i++) {
      unit[i] = broken > 1 ? USE_BROKEN : broken > 0 ? last : USE_FREE;
      broken -= broken > 0;
    }
    program(to, unit, JOURNAL_UNIT);
  }
  return to;
}

/* A unit with tries. */
static bool counts_tries(uint32_t at) {
  const uint32_t *words = (const uint32_t *)at;
  return words[0] == JOURNAL_FILE;
}

static void copy_tries(const journal_view *view, uint32_t to) {
  uint32_t from = view->end;
  for (uint32_t kept = 0; from > view->bank && kept < FILES_KEPT; kept += counts_tries(from))
    from -= JOURNAL_UNIT;
  for (; from < view->end; from += JOURNAL_UNIT)
    if (counts_tries(from)) to = copy_units(to, (const void *)from, JOURNAL_UNIT);
}

/* The highest sequence of a bank; what its newest record says is not always the highest. */
static uint32_t highest_sequence(const journal_view *view) {
  uint32_t bank = ((const journal_record *)view->bank)->sequence, newest = view->newest->sequence;
  return (int32_t)(bank - newest) > 0 ? bank : newest;
}

/*
 * Takes the bank at `to` into use, with what counts of the other one; its first record, without
 * which it is none, comes last. The sector is erased however blank it looks: the erase before may
 * have been cut. The newest BEGIN or COMPLETE is written anew: it is then the newest record of all,
 * so it has the sequence behind that of BANK, and says what the newest one of the old bank says.
 */
static void change_bank(const journal_view *view, uint32_t to) {
  uint32_t broken = journal_broken_uses(), at = to + JOURNAL_UNIT;
  const uint32_t *last = journal_last_use(view);
  bool open = last != 0 && journal_use_is_open(*last);
  journal_record first = {JOURNAL_BANK, 1, config_in_flash()->product, 0, 0, 0, 0, 0};
  flash_unlock();
  uint32_t erase = flash_erase(JOURNAL_FIRST_SECTOR + (to != JOURNAL_BANK_0), to);
  while (!flash_done(erase)) {
    flash_check();
    (void)serial_work(); /* it takes up to a second, in which commands come */
  }
  if (view->newest != 0) {
    first = *view->newest;
    first.kind = JOURNAL_BANK;
    first.sequence = highest_sequence(view) + 1;
    first.length = 0;
  }
  if (view->install != 0) {
    journal_record install = first;
    install.kind = view->install->kind;
    install.sequence++;
    install.length = view->install->length;
    at = program_record(at, &install, view->install + 1);
    if (!journal_record_good((const journal_record *)(to + JOURNAL_UNIT), to + JOURNAL_BANK_SIZE))
      session_abort(ERROR_FLASH_ERROR, to + JOURNAL_UNIT);
  }
  copy_tries(view, add_broken_uses(at, broken, open ? *last : USE_BROKEN));
  (void)program_record(to, &first, 0);
}

/* Room for `bytes` in the bank in use; where. Never outside of it, whatever flash says. */
static uint32_t make_room(uint32_t bytes) {
  journal_view view;
  journal_look(&view);
  if (view.bank != 0 && bytes <= view.bank + JOURNAL_BANK_SIZE - view.end) return view.end;
  uint32_t to = view.bank == JOURNAL_BANK_0 ? JOURNAL_BANK_1 : JOURNAL_BANK_0;
  change_bank(&view, to);
  journal_look(&view);
  if (view.bank != to || bytes > to + JOURNAL_BANK_SIZE - view.end)
    session_abort(ERROR_FLASH_ERROR, to);
  return view.end;
}

static void append(uint32_t kind, const journal_facts *facts, const uint32_t *follows,
                   uint32_t bytes) {
  uint32_t at = make_room(JOURNAL_UNIT + bytes);
  journal_view view;
  journal_look(&view);
  journal_record r = {kind,         view.newest->sequence + 1, config_in_flash()->product,
                      facts->version, facts->floor, facts->mask, bytes, 0};
  (void)program_record(at, &r, follows);
  check_newest(at);
}

void journal_begin(void) {
  journal_facts facts = journal_read();
  append(JOURNAL_BEGIN, &facts, 0, 0);
}

void journal_complete(uint32_t version, uint32_t floor, uint32_t *root, uint32_t bytes) {
  journal_facts facts = journal_read();
  facts.version = version;
  if (floor > facts.floor) facts.floor = floor;
  append(JOURNAL_COMPLETE, &facts, root, bytes);
  completed = true;
}

bool journal_has_completed(void) {
  return completed;
}

void journal_clear_keys(uint32_t bits) {
  journal_facts facts = journal_read();
  facts.mask |= bits;
  append(JOURNAL_MASK, &facts, 0, 0);
}

void journal_begin_use(void) {
  journal_view view;
  journal_look(&view);
  for (uint32_t i = 1; view.uses != 0 && i <= USES_IN_UNIT; i++)
    if (view.uses[i] == USE_FREE) {
      program_word((uint32_t)&view.uses[i], USE_OPEN);
      return;
    }
  uint32_t at = make_room(JOURNAL_UNIT);
  program_word(at, JOURNAL_USES);
  program_word(at + 4, USE_OPEN);
}

void journal_end_use(uint32_t end) {
  journal_view view;
  journal_look(&view);
  const uint32_t *use = journal_last_use(&view);
  if (use != 0 && journal_use_is_open(*use)) program_word((uint32_t)use, end);
}

uint32_t journal_broken_uses(void) {
  journal_view view;
  journal_look(&view);
  uint32_t broken = 0;
  for (uint32_t at = view.bank; at < view.end; at += JOURNAL_UNIT) {
    const uint32_t *uses = (const uint32_t *)at;
    for (uint32_t i = 1; uses[0] == JOURNAL_USES && i <= USES_IN_UNIT; i++)
      broken = uses[i] == USE_ORDERLY
                   ? 0
                   : broken + (uses[i] != USE_FREE && uses[i] != USE_OFFLINE);
  }
  return broken < BROKEN_KEPT ? broken : BROKEN_KEPT;
}

/* The tries with a file, or NULL. */
static const uint32_t *find_tries(const uint8_t id[FILE_ID]) {
  journal_view view;
  journal_look(&view);
  for (uint32_t at = view.bank; at < view.end; at += JOURNAL_UNIT)
    if (counts_tries(at) && bf_equal((const uint8_t *)at + 4, id, FILE_ID))
      return (const uint32_t *)at + FILE_TRIES;
  return 0;
}

/* A unit without a try; what becomes of it when it is cut is the unit of no file. */
static const uint32_t *begin_tries(const uint8_t id[FILE_ID]) {
  uint32_t at = make_room(JOURNAL_UNIT);
  unit[0] = JOURNAL_FILE;
  bf_copy((uint8_t *)(unit + 1), id, FILE_ID);
  unit[FILE_TRIES] = FILE_NO_TRY;
  program(at, unit, JOURNAL_UNIT);
  const uint32_t *tries = find_tries(id);
  if (tries == 0) session_abort(ERROR_FLASH_ERROR, at);
  return tries;
}

void journal_begin_try(const uint8_t id[FILE_ID]) {
  const uint32_t *tries = find_tries(id);
  if (tries == 0) tries = begin_tries(id);
  if ((*tries & FILE_LAST_TRY) == 0) session_abort(ERROR_TOO_MANY_TRIES, 0);
  program_word((uint32_t)tries, *tries << 1);
}
