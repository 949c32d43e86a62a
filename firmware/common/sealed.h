/*
 * The sealed session of the chip (docs/protocol.md sections 4, 5 and 8): initiator of the
 * handshake, boxes both ways. Keys live in SECTION_SECRET memory only.
 */
#ifndef BF_SEALED_H
#define BF_SEALED_H

#include <stdbool.h>
#include <stdint.h>

#include "job.h"

#define STUB_HASH_SIZE 64 /* bytes */
#define REPLY_BODY 8u     /* offset of the body in the plaintext of a reply, bytes */

/* Hashes the program as it lies in memory; once, before anything else. */
void sealed_hash_program(void);

/*
 * Draws the chip's key when there is none, ephemeral and nonce, and gives the transport M1, which
 * says that this is handshake number `handshake`. Fails when the random generator does.
 */
void sealed_offer(uint32_t handshake, flash_width psize);

/*
 * Takes M2, checks confirm_r before it reads the chip's key, derives the keys and gives the
 * transport M3. Fails when M2 is not good or an agreement is zero.
 */
void sealed_confirm(void);

/*
 * Opens the next box in place: its plaintext begins where the box began. Fails when it does not
 * open.
 */
void sealed_open(uint8_t *box, uint32_t length);

/* True when one more reply may be given to the transport. */
bool sealed_can_reply(void);

/* True when session keys exist. */
bool sealed_has_keys(void);

/*
 * Seals a reply and gives it to the transport: `answered` is the sequence of the sealed command it
 * answers, `body_length` at most REPLY_PLAIN_SIZE - REPLY_BODY.
 */
void sealed_reply(reply_kind reply, uint8_t argument, uint32_t answered, const void *body,
                  uint32_t body_length);

#endif
