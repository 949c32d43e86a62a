/*
 * Questions about what was in flash before the session (docs/protocol.md section 8): few in the
 * program's life, and about enough at once that nobody tries all it may be.
 */
#ifndef BF_QUESTIONS_H
#define BF_QUESTIONS_H

#include <stdint.h>

#include "plan.h"

/*
 * Counts one about `count` ranges from index `first` on before it is answered; `erased` are the
 * sectors erased in this session, a bit each, about which questions are free. Fails when it is
 * about too little, or none is left.
 */
void questions_count(const plan *p, uint32_t erased, uint32_t first, uint32_t count);

/* How many are left. */
uint32_t questions_left(void);

#endif
