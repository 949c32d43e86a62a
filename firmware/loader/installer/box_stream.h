/*
 * Opening a box that is longer than what secret memory holds: its tag is checked over the whole
 * ciphertext first, where that lies, then the plaintext is taken in parts.
 */
#ifndef BF_BOX_STREAM_H
#define BF_BOX_STREAM_H

#include <stdbool.h>
#include <stdint.h>

/* Checks the box of `length` bytes. False when it was not sealed under this key and nonce. */
bool box_stream_open(const uint8_t *box, uint32_t length, const uint8_t nonce[24],
                     const uint8_t key[32]);

/* The first part is of 32 bytes, every later one of 64, the last may be shorter. */
#define BOX_STREAM_FIRST 32u
#define BOX_STREAM_PART 64u

/* The next `bytes` of the plaintext, which are a part. */
void box_stream_take(uint8_t *to, uint32_t bytes);

/* Forgets the key. */
void box_stream_close(void);

#endif
