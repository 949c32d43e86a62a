/* The root of what flash holds (docs/protocol.md section 8), range by range. */
#ifndef BF_ROOT_H
#define BF_ROOT_H

#include "journal.h"
#include "sha512.h"

/*
 * digest = SHA-512 of what flash holds there, of the first 64 bytes what `over` holds unless that
 * is NULL; calls `between`, unless NULL, every 1024 bytes.
 */
void root_hash_range(uint32_t address, uint32_t length, const uint8_t over[64], uint8_t digest[64],
                     void (*between)(void));

/*
 * A root over so many ranges begins; the next of them, whose first 8 bytes are address and length.
 */
void root_begin(bf_sha512 *s, uint32_t count);
void root_add(bf_sha512 *s, const void *range, const uint8_t digest[64]);

/* root = that over the ranges of `of`. */
void root_of_flash(const journal_root *of, uint8_t root[64], void (*between)(void));

#endif
