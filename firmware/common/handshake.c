/* Steps of the handshake that every program on the chip takes: see handshake.h. */
#include "handshake.h"

#include "abort.h"
#include "job.h"
#include "section.h"
#include "util.h"
#include "x25519.h"

SECTION_SECRET uint8_t handshake_ephemeral[KEY];
SECTION_LARGE uint8_t handshake_m1[PROGRAM_M1_MOST];
SECTION_LARGE uint8_t handshake_m2[M2_SIZE];

void handshake_hash(const bf_part *part, uint32_t count, uint8_t th[64]) {
  bf_sha512 s;
  bf_sha512_init(&s);
  for (; count > 0; count--, part++) {
    uint32_t length = part->len;
    bf_sha512_update(&s, (const uint8_t *)&length, 2);
    bf_sha512_update(&s, part->data, length);
  }
  bf_sha512_final(&s, th);
}

void handshake_agree(uint8_t shared[KEY], const uint8_t secret[KEY], const uint8_t point[KEY]) {
  if (bf_x25519(shared, secret, point)) session_abort(ERROR_ZERO_SECRET, 0);
}

/* A string as a part of something hashed. */
static bf_part text(const char *string) {
  bf_part part = {(const uint8_t *)string, 0};
  while (string[part.len] != 0) part.len++;
  return part;
}

void handshake_extract(uint8_t prk[64], const char *key, uint8_t *ikm, uint32_t length) {
  bf_part name = text(key), part = {ikm, length};
  bf_hmac_parts(prk, name.data, name.len, &part, 1);
  bf_wipe(ikm, length);
}

void handshake_expand(uint8_t to[KEY], const uint8_t *from, uint32_t length, const char *label,
                      const void *more, uint32_t more_length) {
  bf_part info[] = {text(label), {more, more_length}};
  (void)bf_hkdf_expand(to, KEY, from, length, info, 2);
}

void handshake_confirmation(uint8_t mac[KEY], const uint8_t prk[64], const uint8_t th[64],
                            const char *label, uint32_t more) {
  uint8_t key[KEY], whole[64];
  bf_part parts[] = {{th, 64}, {handshake_m2 + M2_UNCONFIRMED, more}};
  handshake_expand(key, prk, 64, label, th, 64);
  bf_hmac_parts(whole, key, KEY, parts, 2);
  bf_copy(mac, whole, KEY);
  bf_wipe(key, sizeof key);
  bf_wipe(whole, sizeof whole);
}

void handshake_check(const uint8_t prk[64], const uint8_t th[64]) {
  uint8_t expected[KEY];
  handshake_confirmation(expected, prk, th, LABEL_CONFIRM_R, 0);
  const uint8_t *m2 = handshake_m2;
  if (!bf_equal(expected, m2 + M2_UNCONFIRMED, KEY)) session_abort(ERROR_CONFIRM_WRONG, 0);
  if (m2[M2_VERSION] != SEALED_VERSION) session_abort(ERROR_CONFIRM_WRONG, m2[M2_VERSION]);
  for (uint32_t i = M2_VERSION + 1; i < M2_UNCONFIRMED; i++)
    if (m2[i] != 0) session_abort(ERROR_CONFIRM_WRONG, i);
}

void handshake_agree_ephemeral(uint8_t prk[64]) {
  uint8_t ikm[3 * KEY];
  bf_wipe(ikm, sizeof ikm);
  handshake_agree(ikm, handshake_ephemeral, handshake_m2);
  handshake_agree(ikm + KEY, handshake_ephemeral, current_job.content.is.sealed_key);
  bf_wipe(handshake_ephemeral, sizeof handshake_ephemeral);
  handshake_extract(prk, EXTRACT_SHARED, ikm, sizeof ikm);
}
