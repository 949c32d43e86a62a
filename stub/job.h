/* The job (docs/mailbox.md, "Job area"): copied to private memory once, never looked at again where the agent can write. */
#ifndef BF_JOB_H
#define BF_JOB_H

#include "chip.h"
#include "plan.h"

typedef struct {
  const uint8_t *sealed_key;   /* 32 bytes */
  const uint8_t *contribution; /* 32 bytes */
  uint8_t plan_hash[64];
  chip_geometry chip;
  plan plan;
} job;

/* Takes the job from the mailbox and checks chip, protection and plan. Returns 0, or 1 with the reason noted. */
int job_take(job *j);

#endif
