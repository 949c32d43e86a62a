/*
 * What a frame of the sealed session may ask (docs/protocol.md sections 8 and 9). The box was authentic; every address, length
 * and count is checked against the plan all the same.
 */
#ifndef BF_COMMANDS_H
#define BF_COMMANDS_H

#include <stdint.h>

#include "job.h"

typedef enum {
  RUN_DONE,   /* done or queued */
  RUN_LATER,  /* cannot be done yet: ask again after the next wake */
  RUN_FAILED, /* the reason is noted; the session must end */
  RUN_ENDED,  /* END was answered */
} run_result;

typedef struct {
  uint8_t *bytes; /* plaintext, word-aligned, private */
  uint32_t size;
  uint32_t sequence;
} frame;

/* Begins the work of a session at programming width `psize`. */
void commands_begin(const job *j, uint32_t psize);

/*
 * Runs a frame. After RUN_DONE, `*ticket` is the flash ticket until which the engine needs f->bytes, unchanged when it does not.
 */
run_result commands_run(const frame *f, uint32_t *ticket);

/* Answers an erase that has come to its end meanwhile, if there is room. */
void commands_finish_erase(void);

#endif
