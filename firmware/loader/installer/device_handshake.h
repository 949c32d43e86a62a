/*
 * The handshake of a device that has keys of its own (docs/protocol.md section 4, suites `device`
 * and `enroll`). Boxes are boxes.h's.
 */
#ifndef BF_DEVICE_HANDSHAKE_H
#define BF_DEVICE_HANDSHAKE_H

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

#endif
