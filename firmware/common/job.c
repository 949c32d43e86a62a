/* Taking the job: see job.h. */
#include "job.h"

#include "abort.h"
#include "section.h"
#include "transport.h"

SECTION_LARGE job current_job;

void job_take(void) {
  job *j = &current_job;
  job_area *area = &j->area.is;
  uint32_t length = *transport_job_length(), optcr = chip_optcr();
  if (length < JOB_PLAN + PLAN_HEAD_BYTES || length > sizeof j->area)
    session_abort(ERROR_PLAN_MALFORMED, 0);
  transport_take_job(j->area.bytes, length);
  if (area->magic != JOB_MAGIC || area->length != length) session_abort(ERROR_PLAN_MALFORMED, 0);
  if (chip_read_geometry(&j->chip)) session_abort(ERROR_WRONG_CHIP, j->chip.flash_kib);
  if (!chip_is_open(optcr)) session_abort(ERROR_PROTECTED_CHIP, optcr);
  plan_check(&area->plan, length - JOB_PLAN, &j->chip);
  plan_hash(&area->plan, j->plan_hash);
}
