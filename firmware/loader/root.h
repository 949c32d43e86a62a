/* The root of what flash holds (docs/protocol.md section 8), range by range. */
#ifndef BF_ROOT_H
#define BF_ROOT_H

#include "journal.h"

/* root = that over the ranges of `of`, read from flash. */
void root_of_flash(const journal_root *of, uint8_t root[64]);

#endif
