/* Digests of what flash holds (docs/protocol.md sections 8 and 9). Only when the flash engine is idle. */
#ifndef BF_DIGEST_H
#define BF_DIGEST_H

#include <stdint.h>

#include "job.h"

/* digest = SHA-512 of range `index` as read from flash; kept for the root. */
void digest_range(const plan *p, uint32_t index, uint8_t digest[64]);

/* root over the digests of all ranges; those of the sector of `only` are read again, or all of them when only is 0. */
void digest_root(const job *j, const chip_sector *only, uint8_t root[64]);

/* Checks that the sectors of `mask` read FF outside the plan's ranges. Returns 0, or 1 with the reason noted. */
int digest_check_blank(const job *j, uint32_t mask);

#endif
