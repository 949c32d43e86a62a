/* Handshake and boxes: see sealed.h. */
#include "sealed.h"

#include "abort.h"
#include "boxes.h"
#include "flag.h"
#include "handshake.h"
#include "rng.h"
#include "secretbox.h"
#include "section.h"
#include "sha512.h"
#include "transport.h"
#include "util.h"
#include "x25519.h"

/* The chip's key pair (docs/protocol.md section 8): d; its public half D stays in handshake_m1. */
static SECTION_CHIP_KEY struct {
  uint8_t secret[KEY];
  flag drawn;
} chip_key;
static SECTION_LARGE uint8_t stub_hash[STUB_HASH_SIZE];

static const char SUITE[] = SEALED_SUITE;

extern const uint8_t program_length[]; /* the linker's number, not an address */

void sealed_hash_program(void) {
  bf_sha512_once(stub_hash, (const uint8_t *)PROGRAM_START, (size_t)program_length);
  transport_give_program_hash(stub_hash);
}

/* payload1 of M1 up to D: what the stub itself reads of the chip. */
static void write_payload1(uint8_t *to, uint32_t handshake, flash_width psize) {
  bf_wipe(to, CHIP_KEY_OFFSET);
  bf_copy(to, chip_uid(), CHIP_UID_SIZE);
  bf_store_le32(to + 12, chip_idcode());
  bf_store_le32(to + 16, chip_flash_kib() | (uint32_t)PROGRAM_VERSION << 16);
  bf_store_le32(to + 20, chip_optcr());
  bf_store_le32(to + 24, chip_optcr1());
  to[28] = KEY_KIND_RAM;
  to[29] = (uint8_t)handshake;
  to[30] = (uint8_t)psize;
}

/* Draws d and computes D, once until they are wiped. */
static void draw_chip_key(void) {
  if (chip_key.drawn) return;
  rng_draw(chip_key.secret);
  bf_x25519_base(handshake_m1 + M1_PAYLOAD + CHIP_KEY_OFFSET, chip_key.secret);
  chip_key.drawn = true;
}

void sealed_offer(uint32_t handshake, flash_width psize) {
  uint32_t failed = rng_seed(current_job.content.is.host_entropy);
  if (failed) session_abort(ERROR_RANDOM_FAILED, failed);
  draw_chip_key();
  rng_draw(handshake_ephemeral);
  bf_x25519_base(handshake_m1, handshake_ephemeral);
  rng_draw(handshake_m1 + KEY);
  write_payload1(handshake_m1 + M1_PAYLOAD, handshake, psize);
  transport_give_m1(handshake_m1);
}

/* What the transcript hash is of, in its order; M2 as far as it is not yet confirmed. */
static const bf_part TRANSCRIPT[] = {
    {(const uint8_t *)SUITE, sizeof SUITE - 1},
    {(const uint8_t *)SEALED_PURPOSE, sizeof SEALED_PURPOSE - 1},
    {current_job.content.is.sealed_key, KEY},
    {stub_hash, sizeof stub_hash},
    {current_job.plan_hash, sizeof current_job.plan_hash},
    {handshake_m1, M1_SIZE},
    {handshake_m2, M2_UNCONFIRMED},
};

/* prk0 becomes prk: the chip's key goes into all that follows. */
static void mix_chip_key(uint8_t prk[64], const uint8_t th[64]) {
  uint8_t ikm[2 * KEY];
  handshake_expand(ikm, prk, 64, LABEL_CHIP_KEY, th, 64);
  handshake_agree(ikm + KEY, chip_key.secret, handshake_m2);
  handshake_extract(prk, EXTRACT_CHIP_KEY, ikm, sizeof ikm);
}

void sealed_confirm(void) {
  uint8_t th[64], prk[64], confirm[KEY];
  transport_take_m2(handshake_m2);
  handshake_hash(TRANSCRIPT, sizeof TRANSCRIPT / sizeof TRANSCRIPT[0], th);
  handshake_agree_ephemeral(prk);
  handshake_check(prk, th);
  mix_chip_key(prk, th);
  handshake_confirmation(confirm, prk, th, LABEL_CONFIRM_I, KEY);
  transport_give_m3(confirm);
  boxes_start(prk, th);
  bf_wipe(prk, sizeof prk);
}

void sealed_open(uint8_t *box, uint32_t length) {
  uint8_t nonce[24];
  const uint8_t *key = boxes_next(nonce);
  if (bf_secretbox_open(box, box, length, nonce, key))
    session_abort(ERROR_BOX_FAILED, boxes_taken());
}
