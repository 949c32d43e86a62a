/* Key slots: see slots.h. */
#include "slots.h"

#include "abort.h"
#include "chip.h"
#include "config.h"
#include "flash.h"
#include "flash_map.h"
#include "handshake.h"
#include "registers_loader.h"
#include "rng.h"
#include "section.h"
#include "sha512.h"
#include "update.h"
#include "util.h"
#include "x25519.h"

#define SLOT_BEGUN 0x5359454Bu  /* "KEYS" */
#define SLOT_CLOSED 0x54554853u /* "SHUT" */
#define SLOT_SIZE 288u
#define SLOTS 7u
#define CHECK 8u /* bytes of the hash that tells a slot is whole */
#define ERASED 0xFFFFFFFFu

typedef struct {
  uint32_t begun;
  device_keys keys;
  uint8_t check[CHECK]; /* the first bytes of SHA-512(D_s || D_f) */
  uint32_t closed;
} slot;

typedef enum { SLOT_BLANK, SLOT_ZERO, SLOT_GOOD, SLOT_BROKEN } slot_state;

_Static_assert(sizeof(slot) <= SLOT_SIZE && SLOTS * SLOT_SIZE <= LOADER_SLOTS_SIZE,
               "the slots have their place");

static const slot *in_use;
static bool may_use;
static const slot *next_blank;
static uint32_t blank_slots;

static const slot *slot_at(uint32_t index) {
  return (const slot *)(LOADER_SLOTS + index * SLOT_SIZE);
}

static uint32_t differs(const void *from, uint32_t bytes, uint32_t value) {
  const uint32_t *word = from;
  uint32_t any = 0;
  for (uint32_t i = 0; i < bytes / 4; i++) any |= word[i] ^ value;
  return any;
}

/* True when every word of the slot that is no secret reads `value`. */
static bool slot_reads(const slot *s, uint32_t value) {
  return (differs(&s->begun, 4, value) | differs(s->keys.session_public, KEY, value) |
          differs(s->keys.file_public, KEY, value) | differs(s->check, CHECK + 4, value)) == 0;
}

static void check_of(const device_keys *keys, uint8_t check[64]) {
  bf_sha512 s;
  bf_sha512_init(&s);
  bf_sha512_update(&s, keys->session_public, KEY);
  bf_sha512_update(&s, keys->file_public, KEY);
  bf_sha512_final(&s, check);
}

/* What a slot is, by what of it is no secret. */
static slot_state judge(const slot *s) {
  uint8_t check[64];
  if (slot_reads(s, ERASED)) return SLOT_BLANK;
  if (slot_reads(s, 0)) return SLOT_ZERO;
  if (s->begun != SLOT_BEGUN || s->closed != SLOT_CLOSED) return SLOT_BROKEN;
  check_of(&s->keys, check);
  return bf_equal(check, s->check, CHECK) ? SLOT_GOOD : SLOT_BROKEN;
}

/* Programs `bytes` of RAM, which then hold what flash reads, and waits. */
static void program(const void *to, void *from, uint32_t bytes) {
  flash_unlock();
  (void)flash_program((uint32_t)to, from, bytes, 0);
  flash_wait();
}

/* True when flash then reads `value`. */
static bool program_word(const uint32_t *to, uint32_t value) {
  uint32_t word = value;
  program(to, &word, sizeof word);
  return word == value;
}

/*
 * All of it becomes 0, whatever it was: nothing of it is read before. The closed word is among the
 * last, so that a slot whose zeroing was cut is seen to be none of a good one.
 */
static void zero_slot(const slot *s) {
  uint32_t zeros[8];
  for (uint32_t at = 0; at < SLOT_SIZE; at += sizeof zeros) {
    bf_wipe(zeros, sizeof zeros);
    program((const uint8_t *)s + at, zeros, sizeof zeros);
  }
}

/*
 * Each slot is blank, good, or zero; what is none of these becomes zero, but only what reads so
 * twice: one wrong read shall not cost a device its keys.
 */
static void look_at_slots(void) {
  in_use = next_blank = 0;
  blank_slots = 0;
  for (uint32_t i = SLOTS; i-- > 0;) {
    const slot *s = slot_at(i);
    slot_state state = judge(s);
    if (state == SLOT_BROKEN) state = judge(s);
    if (state == SLOT_BROKEN) zero_slot(s);
    if (state == SLOT_GOOD && in_use == 0) in_use = s;
    if (state != SLOT_BLANK) continue;
    blank_slots++;
    next_blank = s;
  }
}

static void draw_pair(uint8_t secret[KEY], uint8_t public[KEY]) {
  rng_draw(secret);
  bf_x25519_base(public, secret);
}

/* k for the files key S_f; stays zero, by which no file is taken, where S_f is of low order. */
static void derive_tag(uint8_t tag[KEY], const device_keys *keys, const uint8_t vendor[KEY]) {
  uint8_t shared[KEY], prk[64], names[2 * KEY + CHIP_UID_SIZE];
  if (bf_x25519(shared, keys->file_secret, vendor)) return;
  bf_copy(names, vendor, KEY);
  bf_copy(names + KEY, keys->file_public, KEY);
  bf_copy(names + 2 * KEY, chip_uid(), CHIP_UID_SIZE);
  handshake_extract(prk, UPDATE_LABEL_EXTRACT_TAG, shared, sizeof shared);
  handshake_expand(tag, prk, sizeof prk, UPDATE_LABEL_TAG_KEY, names, sizeof names);
  bf_wipe(prk, sizeof prk);
}

/* Draws the keys into `s` as it is to lie in flash, still open. */
static void draw_slot(slot *s) {
  const config_key *vendor = config_in_flash()->keys;
  uint8_t check[64];
  bf_wipe(s, sizeof *s);
  draw_pair(s->keys.session_secret, s->keys.session_public);
  draw_pair(s->keys.file_secret, s->keys.file_public);
  for (uint32_t i = 0; i < CONFIG_KEYS; i++)
    if ((vendor[i].roles & CONFIG_ROLE_FILES) != 0)
      derive_tag(s->keys.file_tags[i], &s->keys, vendor[i].key);
  check_of(&s->keys, check);
  bf_copy(s->check, check, CHECK);
}

static void hash_all(const slot *s, uint8_t hash[64]) {
  bf_sha512_once(hash, (const uint8_t *)&s->keys, sizeof s->keys + CHECK);
}

/* True when flash took the keys as they were drawn. */
static bool write_keys(const slot *to) {
  slot s;
  uint8_t drawn[64], read[64];
  draw_slot(&s);
  hash_all(&s, drawn);
  program(&to->keys, &s.keys, sizeof s.keys + CHECK);
  hash_all(&s, read);
  bf_wipe(&s, sizeof s);
  return bf_equal(drawn, read, sizeof drawn) != 0;
}

/*
 * Begun, written, read back, closed. No key is in flash before the first word is seen there: by it
 * a later start knows that the slot is not blank, without a look at the secrets.
 */
static void make_slot(const slot *to) {
  static const uint8_t none[32];
  uint32_t failed = rng_seed(none);
  if (failed) session_abort(ERROR_RANDOM_FAILED, failed);
  if (program_word(&to->begun, SLOT_BEGUN) && write_keys(to))
    (void)program_word(&to->closed, SLOT_CLOSED);
  look_at_slots();
}

static bool is_odd(const handover *found) {
  return (found->dhcsr & DHCSR_C_DEBUGEN) != 0 || found->breakpoints != 0 || found->trace != 0;
}

/* A power reset, and no other since the flags were cleared last. */
static bool from_power(uint32_t csr) {
  return (csr & RCC_CSR_FLAGS) == (RCC_CSR_PORRSTF | RCC_CSR_BORRSTF | RCC_CSR_PINRSTF);
}

/* With what a debugger asked for, which outlives resets, a start is none with the power alone. */
static bool is_fresh(const handover *found) {
  return from_power(found->rcc_csr) && DBGMCU_CR == 0;
}

void slots_prepare(const handover *found) {
  may_use = chip_is_level1(chip_optcr()) && !is_odd(found);
  look_at_slots();
  if (in_use == 0 && next_blank != 0 && may_use && is_fresh(found)) make_slot(next_blank);
}

const device_keys *slots_keys(void) {
  return may_use && in_use != 0 ? &in_use->keys : 0;
}

uint32_t slots_free(void) {
  return blank_slots;
}
