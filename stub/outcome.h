/* How a step that can fail answers: 0 for good, else 1 after the reason was noted here for ERROR, DETAIL and ABORT. */
#ifndef BF_OUTCOME_H
#define BF_OUTCOME_H

#include <stdint.h>

typedef struct {
  uint32_t error; /* ERROR_ of mailbox.h */
  uint32_t detail;
} outcome;

extern outcome reason;

/* Notes the reason; always returns 1. */
int fail(uint32_t error, uint32_t detail);

#endif
