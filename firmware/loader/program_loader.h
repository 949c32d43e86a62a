/*
 * The installer as program.h wants it: where the loader differs from the RAM stub, and what it does
 * besides (rules.c).
 */
#ifndef BF_PROGRAM_LOADER_H
#define BF_PROGRAM_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "protocol.h"

#define PROGRAM_M1_MOST ENROLL_M1_SIZE
#define PROGRAM_EPOCH_BOXES DEVICE_EPOCH_BOXES
#define PROGRAM_MODE_FIRST 2u      /* lock-then-load, seeded */
#define PROGRAM_MODE_LAST 3u
#define PROGRAM_KIND_ENROLL KIND_ENROLL
#define PROGRAM_KIND_KEYS KIND_KEYS
#define PROGRAM_KIND_LAST PROGRAM_KIND_KEYS
#define PROGRAM_SHAPES                                                  \
  [KIND_FLASH] = {COUNT_SOME, COUNT_SOME, COUNT_ANY, FLAG_ALWAYS_ERASE}, \
  [KIND_VERIFY] = {COUNT_NONE, COUNT_NONE, COUNT_SOME, 0},               \
  [PROGRAM_KIND_ENROLL] = {COUNT_NONE, COUNT_NONE, COUNT_NONE, 0},       \
  [PROGRAM_KIND_KEYS] = {COUNT_NONE, COUNT_NONE, COUNT_NONE, 0}
#define PROGRAM_KINDS                                                               \
  (1u << KIND_FLASH | 1u << KIND_VERIFY | 1u << PROGRAM_KIND_ENROLL | \
   1u << PROGRAM_KIND_KEYS)
#define PROGRAM_OPTION_WORDS 3u
#define PROGRAM_LOCKS 0
/* An IMAGE comes to commands.c in pieces (session.c). */
#define PROGRAM_IMAGE_PLAIN (16u + PROGRAM_IMAGE_DATA)
#define PROGRAM_IMAGE_DATA 64u /* a part of box_stream.h */
/* An erase that was cut in an earlier boot may read blank, and its cells be weak. */
#define PROGRAM_TRUSTS_BLANK 0
#define PROGRAM_FILES 1
#define PROGRAM_ANY_KIND PROGRAM_KINDS

typedef uint16_t program_kinds; /* a bit for each kind */

/* What the option words of a plan mean to the loader, by index. */
#define PLAN_PRODUCT 0u /* of plan kind `keys`: the vendor keys to clear */
#define PLAN_VERSION 1u
#define PLAN_FLOOR 2u

/* True at read protection level 1, with keys of this device that may be used. */
bool program_takes_protection(uint32_t optcr);

/* Fails unless the plan is one for this loader: kind, key, product, version, place. */
void program_check_plan(const void *plan_bytes);

/* Index in the config of the vendor key that the plan came under. */
uint32_t program_vendor(void);

/* Writes BEGIN before the first sector is erased. */
void program_begin_install(void);

/*
 * The root over what flash holds, which is all but these boot words. The one with them laid over is
 * made by the way, and kept: reading all of it twice more would take 1.3 s a MiB.
 */
void program_final_root(const void *plan_bytes, const uint8_t boot_words[64], uint8_t root[64]);

/*
 * Of an update file: fails unless every sector of the plan was erased, and the root that was kept
 * is what the entry names.
 */
void program_check_final(const void *plan_bytes, uint32_t erased);

/*
 * Compares the boot words that flash holds with those of FINAL, which the root that was kept is of,
 * then writes COMPLETE. Fails when the words differ.
 */
void program_end_install(const void *plan_bytes, const uint8_t boot_words[64]);

/*
 * Clears vendor keys where the plan asks for it, or ends the file; the use of the device's key was
 * orderly.
 */
void program_end_session(void);

#endif
