/* Key slots: see slots.h. */
#include "slots.h"

#include "abort.h"
#include "chip.h"
#include "flash.h"
#include "flash_map.h"
#include "registers_loader.h"
#include "rng.h"
#include "section.h"
#include "sha512.h"
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
  uint8_t check[CHECK]; /* the first bytes of SHA-512(keys) */
  uint32_t closed;
} slot;

_Static_assert(sizeof(slot) <= SLOT_SIZE && SLOTS * SLOT_SIZE <= LOADER_SLOTS_SIZE,
               "the slots have their place");

static const slot *in_use;
static bool may_use;
static uint32_t blank_slots; /* kept, so that nobody reads the slots again to know */

static const slot *slot_at(uint32_t index) {
  return (const slot *)(LOADER_SLOTS + index * SLOT_SIZE);
}

/* True when every word of the slot reads `value`. */
static bool slot_reads(const slot *s, uint32_t value) {
  const uint32_t *word = (const uint32_t *)s;
  uint32_t differs = 0;
  for (uint32_t i = 0; i < SLOT_SIZE / 4; i++) differs |= word[i] ^ value;
  return differs == 0;
}

static void check_of(const device_keys *keys, uint8_t check[64]) {
  bf_sha512_once(check, (const uint8_t *)keys, sizeof *keys);
}

static bool slot_whole(const slot *s) {
  uint8_t check[64];
  if (s->begun != SLOT_BEGUN) return false;
  check_of(&s->keys, check);
  return bf_equal(check, s->check, CHECK) != 0;
}

static void program(const void *to, void *from, uint32_t bytes) {
  flash_unlock();
  (void)flash_program((uint32_t)to, from, bytes, 0);
  flash_wait();
}

static void program_word(const uint32_t *to, uint32_t value) {
  program(to, &value, sizeof value);
}

/* All of it becomes 0, whatever it was. */
static void zero_slot(const slot *s) {
  uint32_t zeros[8];
  for (uint32_t at = 0; at < SLOT_SIZE; at += sizeof zeros) {
    bf_wipe(zeros, sizeof zeros);
    program((const uint8_t *)s + at, zeros, sizeof zeros);
  }
}

/* Each slot is blank, closed and whole, or zero; what is none of these becomes zero. */
static void look_at_slots(void) {
  in_use = 0;
  blank_slots = 0;
  for (uint32_t i = 0; i < SLOTS; i++) {
    const slot *s = slot_at(i);
    bool blank = slot_reads(s, ERASED);
    blank_slots += blank;
    if (blank || slot_reads(s, 0)) continue;
    if (s->closed == SLOT_CLOSED && slot_whole(s))
      in_use = s;
    else
      zero_slot(s);
  }
}

static const slot *find_blank(void) {
  for (uint32_t i = 0; i < SLOTS; i++)
    if (slot_reads(slot_at(i), ERASED)) return slot_at(i);
  return 0;
}

static void draw_pair(uint8_t secret[32], uint8_t public[32]) {
  rng_draw(secret);
  bf_x25519_base(public, secret);
}

/* Draws the keys into `s` as it is to lie in flash, still open. */
static void draw_slot(slot *s) {
  uint8_t check[64];
  draw_pair(s->keys.session_secret, s->keys.session_public);
  draw_pair(s->keys.file_secret, s->keys.file_public);
  rng_draw(s->keys.file_tag);
  check_of(&s->keys, check);
  bf_copy(s->check, check, CHECK);
}

/* Begun, written, read back, closed. */
static void make_slot(const slot *to) {
  static const uint8_t none[32];
  slot s;
  uint32_t failed = rng_seed(none);
  if (failed) session_abort(ERROR_RANDOM_FAILED, failed);
  program_word(&to->begun, SLOT_BEGUN);
  draw_slot(&s);
  program(&to->keys, &s.keys, sizeof s.keys + CHECK);
  bf_wipe(&s, sizeof s);
  if (slot_whole(to)) program_word(&to->closed, SLOT_CLOSED);
  look_at_slots();
}

static bool is_odd(const handover *found) {
  return (found->dhcsr & DHCSR_C_DEBUGEN) != 0 || found->breakpoints != 0 || found->trace != 0;
}

/* A power reset, and no other since the flags were cleared last. */
static bool from_power(uint32_t csr) {
  return (csr & RCC_CSR_FLAGS) == (RCC_CSR_PORRSTF | RCC_CSR_BORRSTF | RCC_CSR_PINRSTF);
}

void slots_prepare(const handover *found) {
  may_use = chip_is_level1(chip_optcr()) && !is_odd(found);
  look_at_slots();
  const slot *blank = find_blank();
  if (in_use == 0 && blank != 0 && may_use && from_power(found->rcc_csr)) make_slot(blank);
}

const device_keys *slots_keys(void) {
  return may_use && in_use != 0 ? &in_use->keys : 0;
}

uint32_t slots_free(void) {
  return blank_slots;
}
