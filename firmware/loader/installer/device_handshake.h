/*
 * The handshake of a device that has keys of its own (docs/protocol.md section 4, suites `device`
 * and `enroll`). Boxes are boxes.h's.
 */
#ifndef BF_DEVICE_HANDSHAKE_H
#define BF_DEVICE_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

/* Draws ephemeral and nonce, gives the transport M1. Fails when the random generator does. */
void device_offer(uint32_t handshake, flash_width psize);

/* Takes M2 and checks that the vendor made it; no key of the device is used. Fails otherwise. */
void device_check(void);

/*
 * After device_check(): notes the use in the journal, uses the device's keys, gives the transport
 * M3. Fails when an agreement is zero.
 */
void device_confirm(void);

/*
 * shared = X25519(secret, point) with a secret key of the device; nothing of the way there
 * repeats. Fails when it is zero.
 */
void device_agree(uint8_t shared[32], const uint8_t secret[32], const uint8_t point[32]);

/* Notes in the journal, at a time by chance, that a secret key of the device is to be used. */
void device_note_use(void);

/* Waits by chance, up to 1.8 ms. */
void device_wait(void);

/* A public key below 2^255 - 19: there is one way to write each. */
bool device_is_canonical(const uint8_t key[32]);

#endif
