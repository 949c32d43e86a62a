/*
 * Digests of what flash holds (docs/protocol.md sections 8 and 9). A range that is programmed from
 * its start without a hole is hashed as it goes, from what the flash engine read back; the rest is
 * read when a digest is asked for, which needs the engine idle.
 */
#ifndef BF_DIGEST_H
#define BF_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "job.h"

/* Forgets what was hashed. */
void digest_begin(void);

/* Forgets the ranges of a sector, which is to change. */
void digest_forget(const plan *p, chip_sector sector);

/*
 * Takes `bytes` of flash content at `address`, inside one range to program, in ascending order;
 * `boot_prefix` is what flash holds in front of it, FLASH_BOOT_PREFIX bytes long, or NULL.
 */
void digest_follow(const plan *p, uint32_t address, const uint8_t *data, uint32_t bytes,
                   const uint8_t *boot_prefix);

/*
 * root over the digests of `count` ranges from index `first` on; what is not known yet is read from
 * flash.
 */
void digest_root(const plan *p, uint32_t first, uint32_t count, uint8_t root[64]);

/* True when a sector reads FF to its last byte; needs the engine idle. */
bool digest_is_blank(chip_sector sector);

/* Fails unless the sectors of `mask` read FF outside the plan's ranges. */
void digest_check_blank(const job *j, uint32_t mask);

#endif
