/* The reason of the last failure: see outcome.h. */
#include "outcome.h"

outcome reason;

int fail(uint32_t error, uint32_t detail) {
  reason = (outcome){error, detail};
  return 1;
}
