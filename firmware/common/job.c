/* Taking the job: see job.h. */
#include "job.h"

#include "mailbox_transport.h"
#include "abort.h"
#include "section.h"
#include "registers.h"
#include "util.h"

LARGE job the_job;

void job_take(void) {
  job *j = &the_job;
  job_area *area = &j->area.is;
  uint32_t length = MB(JOB_LENGTH), optcr = FLASH_OPTCR;
  if (length < JOB_PLAN + PLAN_HEAD_BYTES || length > sizeof j->area) fail(ERROR_PLAN_MALFORMED, 0);
  bf_copy(j->area.bytes, (const uint8_t *)MEM_JOB, length);
  if (area->magic != JOB_MAGIC || area->length != length) fail(ERROR_PLAN_MALFORMED, 0);
  if (chip_read_geometry(&j->chip)) fail(ERROR_WRONG_CHIP, j->chip.flash_kib);
  if (!chip_is_open(optcr)) fail(ERROR_PROTECTED_CHIP, optcr);
  plan_check(&area->plan, length - JOB_PLAN, &j->chip);
  plan_hash(&area->plan, j->plan_hash);
}
