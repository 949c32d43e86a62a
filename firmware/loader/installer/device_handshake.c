/* The device's handshake: see device_handshake.h. */
#include "device_handshake.h"

#include "abort.h"
#include "boxes.h"
#include "device.h"
#include "facts.h"
#include "handshake.h"
#include "job.h"
#include "journal_write.h"
#include "rng.h"
#include "section.h"
#include "serial_transport.h"
#include "slots.h"
#include "util.h"
#include "x25519.h"

/* Offsets in the payload of M1, bytes. */
#define RESET_FLAGS 32u
#define DEBUG_FACTS 36u

/* Masks of the turns of a loop, each some 9 cycles at 168 MHz: */
#define DELAY_BEFORE_NOTE 0x7FFFu  /* most 1.8 ms */
#define DELAY_BEFORE_USE 0xFFFFFu /* most 57 ms */

/* Between device_check() and device_confirm(). */
static SECTION_SECRET uint8_t prk[64];
static SECTION_SECRET uint8_t th[64];

static bool enrolls(void) {
  return job_plan()->kind == PROGRAM_KIND_ENROLL;
}

static uint32_t m1_size(void) {
  return enrolls() ? PROGRAM_M1_MOST : M1_SIZE;
}

/* payload1: what the loader itself reads of the chip, and saw of it at the start; public keys. */
static void write_payload1(uint8_t *to, uint32_t handshake, flash_width psize) {
  const handover *found = facts_handover();
  const device_keys *keys = slots_keys();
  bf_wipe(to, CHIP_KEY_OFFSET);
  bf_copy(to, chip_uid(), CHIP_UID_SIZE);
  bf_store_le32(to + 12, chip_idcode());
  bf_store_le32(to + 16, chip_flash_kib() | (uint32_t)PROGRAM_VERSION << 16);
  bf_store_le32(to + 20, chip_optcr());
  bf_store_le32(to + 24, chip_optcr1());
  to[28] = KEY_KIND_DEVICE;
  to[29] = (uint8_t)((handshake - 1u) % 255u + 1u); /* never 0 */
  to[30] = (uint8_t)psize;
  bf_store_le32(to + RESET_FLAGS, found->rcc_csr);
  uint32_t watchers =
      (found->breakpoints ? WATCHER_BREAKPOINTS : 0) | (found->trace ? WATCHER_TRACE : 0);
  bf_store_le32(to + DEBUG_FACTS, found->dhcsr | watchers << 16);
  bf_copy(to + CHIP_KEY_OFFSET, keys->session_public, KEY);
  if (enrolls()) bf_copy(to + FILE_KEY_OFFSET, keys->file_public, KEY);
}

void device_offer(uint32_t handshake, flash_width psize) {
  uint32_t failed = rng_seed(current_job.content.is.host_entropy);
  if (failed) session_abort(ERROR_RANDOM_FAILED, failed);
  rng_draw(handshake_ephemeral);
  bf_x25519_base(handshake_m1, handshake_ephemeral);
  rng_draw(handshake_m1 + KEY);
  write_payload1(handshake_m1 + M1_PAYLOAD, handshake, psize);
  serial_give_m1(handshake_m1, m1_size());
}

static bf_part text(const char *string, uint32_t length) {
  return (bf_part){(const uint8_t *)string, length};
}

/* Of an enrolment D_s is no context: the vendor learns it by this M1. */
static void hash_transcript(void) {
  bool enroll = enrolls();
  bf_part parts[] = {
      enroll ? text(ENROLL_SUITE, sizeof ENROLL_SUITE - 1)
             : text(DEVICE_SUITE, sizeof DEVICE_SUITE - 1),
      enroll ? text(ENROLL_PURPOSE, sizeof ENROLL_PURPOSE - 1)
             : text(DEVICE_PURPOSE, sizeof DEVICE_PURPOSE - 1),
      {current_job.content.is.sealed_key, KEY},
      {facts_loader_hash(), 64},
      {current_job.plan_hash, sizeof current_job.plan_hash},
      {slots_keys()->session_public, KEY},
      {handshake_m1, m1_size()},
      {handshake_m2, M2_UNCONFIRMED},
  };
  uint32_t count = sizeof parts / sizeof parts[0];
  if (enroll) {
    parts[5] = parts[6];
    parts[6] = parts[7];
    count--;
  }
  handshake_hash(parts, count, th);
}

bool device_is_canonical(const uint8_t key[KEY]) {
  bool highest = key[KEY - 1] == 0x7F && key[0] >= 0xED;
  for (uint32_t i = 1; i < KEY - 1; i++) highest = highest && key[i] == 0xFF;
  return key[KEY - 1] <= 0x7F && !highest;
}

void device_check(void) {
  transport_take_m2(handshake_m2);
  if (!device_is_canonical(handshake_m2)) session_abort(ERROR_ZERO_SECRET, 0);
  hash_transcript();
  handshake_agree_ephemeral(prk);
  handshake_check(prk, th);
}

/* Waits by chance, at most `longest` turns. */
static void wait_by_chance(uint32_t longest) {
  uint8_t chance[KEY];
  rng_draw(chance);
  for (uint32_t left = bf_load_le32(chance) & longest; left > 0; left--)
    __asm__ volatile("" ::: "memory");
}

/* The store of the use word can be seen from outside: the delay keeps it from telling when. */
void device_agree(uint8_t shared[KEY], const uint8_t secret[KEY], const uint8_t point[KEY]) {
  uint8_t noise[2 * KEY];
  rng_draw(noise);
  rng_draw(noise + KEY);
  wait_by_chance(DELAY_BEFORE_USE);
  if (bf_x25519_blinded(shared, (const uint32_t *)secret, point, noise))
    session_abort(ERROR_ZERO_SECRET, 0);
  bf_wipe(noise, sizeof noise);
}

/* prk0 becomes prk: the keys of the device go into all that follows. */
static void mix_device_keys(void) {
  uint8_t ikm[3 * KEY];
  bool enroll = enrolls();
  const device_keys *keys = slots_keys();
  handshake_expand(ikm, prk, 64, enroll ? LABEL_ENROLL : LABEL_CHIP_KEY, th, 64);
  device_agree(ikm + KEY, keys->session_secret, handshake_m2);
  if (enroll) device_agree(ikm + 2 * KEY, keys->file_secret, handshake_m2);
  handshake_extract(prk, enroll ? EXTRACT_ENROLL : EXTRACT_CHIP_KEY, ikm,
                    enroll ? 3 * KEY : 2 * KEY);
}

void device_wait(void) {
  wait_by_chance(DELAY_BEFORE_NOTE);
}

void device_note_use(void) {
  device_wait();
  journal_begin_use();
}

void device_confirm(void) {
  uint8_t confirm[KEY];
  device_note_use();
  mix_device_keys();
  handshake_confirmation(confirm, prk, th, LABEL_CONFIRM_I, KEY);
  boxes_start(prk, th);
  bf_wipe(prk, sizeof prk);
  bf_wipe(th, sizeof th);
  transport_give_m3(confirm);
}
