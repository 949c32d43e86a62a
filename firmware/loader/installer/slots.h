/*
 * Key slots (docs/loader.md, "Keys"): seven in the last 2 KB of sector 1. A slot is made, read back
 * and closed in one boot, or it is zeroed; the last one that is closed counts. A later boot judges
 * it by its first and last word and its public halves alone.
 */
#ifndef BF_SLOTS_H
#define BF_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "handover.h"

/* The keys of a device as they lie in flash, on 4 bytes. */
typedef struct {
  uint8_t session_secret[32];         /* d_s */
  uint8_t session_public[32];         /* D_s */
  uint8_t file_secret[32];            /* d_f */
  uint8_t file_public[32];            /* D_f */
  uint8_t file_tags[CONFIG_KEYS][32]; /* k of each vendor key that seals files, otherwise 0 */
} device_keys;

/*
 * Zeroes what an earlier boot left half made, and makes keys when there are none and this boot is
 * one that may: it began at read protection level 1, after a power reset, with debugging,
 * breakpoints and trace off. Needs the flash engine begun and the random generator started. Fails
 * as the flash engine does.
 */
void slots_prepare(const handover *found);

/*
 * The keys in use, or NULL: there are none, or this boot is one that does not use them. The secret
 * halves and k are read where they are used, and nowhere else.
 */
const device_keys *slots_keys(void);

/* Slots that are still blank. */
uint32_t slots_free(void);

#endif
