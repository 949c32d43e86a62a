/* Questions: see questions.h. */
#include "questions.h"

#include "abort.h"
#include "job.h"

/* In the program's life, each at its cost. */
static uint32_t asked;

uint32_t questions_left(void) {
  return QUESTION_IN_LIFE - asked;
}

/* Bytes of the ranges from index `i` to before `end` in sectors that are not among `erased`. */
static uint32_t bytes_not_erased(const plan *p, uint32_t erased, uint32_t i, uint32_t end) {
  uint32_t bytes = 0;
  for (; i < end; i++) {
    const plan_range *r = &p->range[i];
    uint32_t sector = chip_find_sector(&current_job.chip, r->address, r->length);
    if ((erased >> sector & 1u) == 0) bytes += r->length;
  }
  return bytes;
}

/* One about less than the least, the whole of a small plan, counts as many. */
void questions_count(const plan *p, uint32_t erased, uint32_t first, uint32_t count) {
  uint32_t bytes = bytes_not_erased(p, erased, first, first + count);
  if (bytes == 0) return;
  bool is_short = bytes < QUESTION_LEAST_BYTES;
  uint32_t cost = is_short ? QUESTION_SHORT_COST : 1;
  if ((is_short && count != p->count) || cost > questions_left())
    session_abort(ERROR_OUTSIDE_PLAN, first);
  asked += cost;
}
