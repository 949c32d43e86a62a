/*
 * What a frame of the sealed session may ask (docs/protocol.md sections 8 and 9). The box was authentic; every address, length
 * and count is checked against the plan all the same.
 */
#ifndef BF_COMMANDS_H
#define BF_COMMANDS_H

#include <stdint.h>

#include "job.h"

typedef struct {
  uint8_t *bytes; /* plaintext, word-aligned, private */
  uint32_t size;
  uint32_t sequence;
  uint32_t ticket;  /* until which the flash engine needs the bytes; 0 when it does not */
  uint32_t address; /* of an IMAGE under way, with `count` and `lead` as digest_follow wants them */
  uint32_t count;
  uint8_t *lead;
  uint32_t last; /* END was answered */
} frame;

/* Begins the work of a session at programming width `psize`. */
void commands_begin(uint32_t psize);

/*
 * Runs a frame, or fails. Returns 1, or 0 when it cannot be done yet: ask again after the next wake. `quiet` says that no frame
 * is left whose ticket is set.
 */
int commands_run(frame *f, int quiet);

/* Takes the flash content that came back in a frame whose ticket is done. */
void commands_follow(const frame *f);

/* Answers an erase that has come to its end meanwhile, if there is room. */
void commands_finish_erase(void);

#endif
