/* Taking the job: see job.h. */
#include "job.h"

#include "abort.h"
#include "program.h"
#include "section.h"
#include "transport.h"

_Static_assert(offsetof(job_content, magic) == JOB_AT_MAGIC &&
                   offsetof(job_content, length) == JOB_AT_LENGTH &&
                   offsetof(job_content, sealed_key) == JOB_AT_SEALED_KEY &&
                   offsetof(job_content, host_entropy) == JOB_AT_HOST_ENTROPY &&
                   offsetof(job_content, plan) == JOB_AT_PLAN,
               "the job as protocol.h has it");

SECTION_LARGE job current_job;

void job_take(void) {
  job *j = &current_job;
  job_content *content = &j->content.is;
  uint32_t length = *transport_job_length(), optcr = chip_optcr();
  if (length < JOB_AT_PLAN + PLAN_HEAD_BYTES || length > sizeof j->content)
    session_abort(ERROR_PLAN_MALFORMED, 0);
  transport_take_job(j->content.bytes, length);
  if (content->magic != JOB_MAGIC || content->length != length)
    session_abort(ERROR_PLAN_MALFORMED, 0);
  if (!chip_read_geometry(&j->chip)) session_abort(ERROR_WRONG_CHIP, j->chip.flash_kib);
  if (!program_takes_protection(optcr)) session_abort(ERROR_PROTECTED_CHIP, optcr);
  plan_check(&content->plan, length - JOB_AT_PLAN, &j->chip);
  plan_hash(&content->plan, j->plan_hash);
}
