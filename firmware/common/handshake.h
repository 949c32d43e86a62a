/*
 * The handshake (docs/protocol.md section 4) as far as all programs on the chip share it: what they
 * keep while it lasts, and its steps. Keys live in SECTION_SECRET memory only.
 */
#ifndef BF_HANDSHAKE_H
#define BF_HANDSHAKE_H

#include <stdint.h>

#include "program.h"
#include "protocol.h"
#include "sha512.h"

/* Sizes and offsets in bytes. */
#define KEY 32u
#define M1_PAYLOAD 64u
#define M2_PAYLOAD 64u
#define M2_UNCONFIRMED (M2_PAYLOAD + M2_PAYLOAD_SIZE) /* confirm_r follows, over what is before */
#define M2_VERSION (M2_PAYLOAD + 16u)

_Static_assert(M1_PAYLOAD + M1_PAYLOAD_SIZE == M1_SIZE && M2_UNCONFIRMED + KEY == M2_SIZE,
               "the handshake as protocol.h has it");

extern uint8_t handshake_ephemeral[KEY]; /* secret half of the key drawn for this handshake */
extern uint8_t handshake_m1[PROGRAM_M1_MOST];
extern uint8_t handshake_m2[M2_SIZE];

/* th = SHA-512 of `count` parts, each with its length in two bytes in front. */
void handshake_hash(const bf_part *part, uint32_t count, uint8_t th[64]);

/* shared = X25519(secret, point). Fails when it is zero. */
void handshake_agree(uint8_t shared[KEY], const uint8_t secret[KEY], const uint8_t point[KEY]);

/* prk = HMAC(key, ikm); wipes ikm, of `length` bytes. */
void handshake_extract(uint8_t prk[64], const char *key, uint8_t *ikm, uint32_t length);

/* to = HKDF-Expand(from, label || more, KEY); `from` has `length` bytes. */
void handshake_expand(uint8_t to[KEY], const uint8_t *from, uint32_t length, const char *label,
                      const void *more, uint32_t more_length);

/* prk0, psk being zero. The ephemeral is used up. Fails when an agreement is zero. */
void handshake_agree_ephemeral(uint8_t prk[64]);

/* mac = HMAC(K(label), th || the first `more` bytes of confirm_r)[0..32]. */
void handshake_confirmation(uint8_t mac[KEY], const uint8_t prk[64], const uint8_t th[64],
                            const char *label, uint32_t more);

/* Fails unless confirm_r of M2 is right and its payload is one this program knows. */
void handshake_check(const uint8_t prk[64], const uint8_t th[64]);

#endif
