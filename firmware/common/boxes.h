/*
 * The boxes of a session (docs/protocol.md section 5): chains and keys both ways. Replies are
 * sealed by sealed_reply() (sealed.h).
 */
#ifndef BF_BOXES_H
#define BF_BOXES_H

#include <stdint.h>

/* Both directions begin, from prk and the transcript's hash. */
void boxes_start(const uint8_t prk[64], const uint8_t th[64]);

/*
 * The frames of an update file begin, whose chain starts with its content key; nothing is answered.
 */
void boxes_start_file(const uint8_t content_key[32]);

/* The key of the next box that comes in, with its nonce; valid until the next call. */
const uint8_t *boxes_next(uint8_t nonce[24]);

/* Sequence of the box boxes_next() was last called for. */
uint32_t boxes_taken(void);

#endif
