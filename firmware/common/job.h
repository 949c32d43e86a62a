/*
 * The job (docs/mailbox.md, "Job area"): copied to private memory once, never looked at again where
 * the agent can write.
 */
#ifndef BF_JOB_H
#define BF_JOB_H

#include "chip.h"
#include "plan.h"

typedef struct {
  uint32_t magic;
  uint32_t length;
  uint8_t sealed_key[32];
  uint8_t host_entropy[32];
  plan plan;
} job_area;

typedef struct {
  chip_geometry chip;
  uint8_t plan_hash[64];
  union {
    uint8_t bytes[JOB_PLAN + PLAN_MAX_BYTES];
    job_area is;
  } area;
} job;

extern job current_job;
/* The plan of the job; valid once job_take() has returned. */
static inline const plan *job_plan(void) {
  return &current_job.area.is.plan;
}

/* Takes the job from the mailbox and checks chip, protection and plan; fails when one is wrong. */
void job_take(void);

#endif
