/* Taking the job: see job.h. */
#include "job.h"

#include "mbox.h"
#include "outcome.h"
#include "registers.h"
#include "util.h"

static uint8_t copy[JOB_PLAN + PLAN_MAX_BYTES];

int job_take(job *j) {
  uint32_t length = MB(JOB_LENGTH);
  if (length < JOB_PLAN + PLAN_HEAD_BYTES || length > sizeof copy) return fail(ERROR_PLAN_MALFORMED, 0);
  bf_copy(copy, (const uint8_t *)MEM_JOB, length);
  if (bf_load_le32(copy) != JOB_MAGIC || bf_load_le32(copy + JOB_LENGTH) != length) return fail(ERROR_PLAN_MALFORMED, 0);
  j->sealed_key = copy + JOB_SEALED_KEY;
  j->contribution = copy + JOB_CONTRIBUTION;
  if (chip_read_geometry(&j->chip)) return fail(ERROR_WRONG_CHIP, j->chip.flash_kib);
  uint32_t optcr = FLASH_OPTCR;
  if (!chip_is_open(optcr)) return fail(ERROR_PROTECTED_CHIP, optcr);
  if (plan_parse(&j->plan, copy + JOB_PLAN, length - JOB_PLAN, &j->chip)) return 1;
  plan_hash(&j->plan, j->plan_hash);
  return 0;
}
