/*
 * The sealed session of the stub (docs/protocol.md sections 4, 5 and 8): initiator of the
 * handshake, boxes both ways. Keys live in SECTION_SECRET memory only.
 */
#ifndef BF_SEALED_H
#define BF_SEALED_H

#include <stdint.h>

#include <stdbool.h>

#include "job.h"

#define STUB_HASH_SIZE 64
#define REPLY_BODY 8u /* offset of its body */

/* Hashes the stub as it lies in SRAM; once, before anything else. */
void sealed_hash_program(void);

/*
 * Draws the chip's key when there is none, ephemeral and nonce, and puts M1 number `handshake` into
 * the mailbox. Fails with the random generator.
 */
void sealed_offer(uint32_t handshake, flash_width psize);

/*
 * Takes M2, checks confirm_r before it reads the chip's key, derives the keys and puts M3 into the
 * mailbox. Fails when M2 is not good or an agreement is zero.
 */
void sealed_confirm(void);

/*
 * Opens the next box in place: its plaintext begins where the box began. Fails when it does not
 * open.
 */
void sealed_open(uint8_t *box, uint32_t length);

/* True when one more reply may be written. */
bool sealed_reply_room(void);

/* True when session keys exist. */
bool sealed_has_keys(void);

/*
 * Seals a reply of `kind` and writes it to the reply ring; `body_length` at most REPLY_PLAIN_SIZE -
 * REPLY_BODY.
 */
void sealed_reply(reply_kind kind, uint8_t argument, uint32_t answered, const void *body,
                  uint32_t body_length);

#endif
