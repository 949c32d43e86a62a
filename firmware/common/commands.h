/*
 * What a sealed command may ask (docs/protocol.md sections 8 and 9). Its box was authentic; every
 * address, length and count is checked against the plan all the same.
 */
#ifndef BF_COMMANDS_H
#define BF_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "flag.h"
#include "job.h"

/* A sealed command from its arrival until the flash engine is done with it. */
typedef struct {
  uint8_t *bytes; /* plaintext, word-aligned, private */
  uint32_t size;  /* of the plaintext, bytes */
  uint32_t sequence;
  uint32_t operation; /* of the flash engine, which needs the bytes until it is done; 0: none */
  /* of an IMAGE under way, with `count` and `boot_prefix` as digest_follow wants them */
  uint32_t address;
  uint32_t count;       /* bytes */
  uint8_t *boot_prefix; /* where the boot words in front of `address` are kept, or NULL */
  flag last;            /* END was answered */
} sealed_command;

/* Begins the work of a session at programming width `psize`. */
void commands_begin(flash_width psize);

/*
 * Runs a sealed command; fails when it is not allowed. True when it was run, false when it cannot
 * be run yet: ask again after the next tick or end of a flash operation. `quiet` says that no other
 * sealed command is in the flash engine's hands.
 */
bool commands_run(sealed_command *command, bool quiet);

/* Takes the flash content that came back in a sealed command whose operation is done. */
void commands_follow(const sealed_command *command);

/* Answers an erase that has come to its end meanwhile, if one more reply may be given. */
void commands_finish_erase(void);

#endif
