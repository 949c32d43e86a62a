/*
 * The job: the plan, and what its one session needs besides. Copied to private memory once, never
 * looked at again where the host can write.
 */
#ifndef BF_JOB_H
#define BF_JOB_H

#include "chip.h"
#include "plan.h"

/* The job as its bytes lie, little-endian; the offsets are JOB_AT_... of protocol.h. */
typedef struct {
  uint32_t magic;  /* JOB_MAGIC */
  uint32_t length; /* of all of it, bytes */
  uint8_t sealed_key[32];   /* the controller's static public key */
  uint8_t host_entropy[32]; /* random bytes of the controller */
  plan plan;
} job_content;

/* The job that was taken, and what was computed from it. */
typedef struct {
  chip_geometry chip;
  uint8_t plan_hash[64];
  union {
    uint8_t bytes[JOB_AT_PLAN + PLAN_MAX_BYTES];
    job_content is; /* what the bytes are */
  } content;
} job;

extern job current_job;

/* The plan of the job; valid once job_take() has returned. */
static inline const plan *job_plan(void) {
  return &current_job.content.is.plan;
}

/* Takes the job from the transport; checks chip, protection and plan, fails when one is wrong. */
void job_take(void);

#endif
