/* Two roots (docs/protocol.md section 8) of one reading, for FINAL. */
#ifndef BF_ROOTS_H
#define BF_ROOTS_H

#include <stdint.h>

#include "plan.h"

/*
 * root = that of `count` ranges from index `first` on, as flash reads. Unless `boot_words` is NULL,
 * complete = that of the `programmed` ones among them, with these words at the plan's boot address,
 * where a range has to begin.
 */
void digest_roots(const plan *p, uint32_t first, uint32_t count, uint8_t root[64],
                  const uint8_t *boot_words, uint32_t programmed, uint8_t *complete);

#endif
