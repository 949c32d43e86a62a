/* The chip as the stub itself reads it, and its sectors (RM0090 sections 3.4, 39). */
#ifndef BF_CHIP_H
#define BF_CHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "registers.h" /* of the chip family, as target.h */
#include "target.h"

#define CHIP_FLASH 0x08000000u
#define CHIP_UID_SIZE 12 /* bytes */

/* DBGMCU_IDCODE, whole, and the DEV_ID in it. */
static inline uint32_t chip_idcode(void) {
  return DBGMCU_IDCODE;
}
static inline uint32_t chip_dev_id(void) {
  return DBGMCU_IDCODE & 0xFFFu;
}

/* CHIP_UID_SIZE bytes, as they lie in memory. */
static inline const uint8_t *chip_uid(void) {
  return UID_BYTES;
}

/* The flash size register, KiB. */
static inline uint32_t chip_flash_kib(void) {
  return FLASH_KIB;
}

/* The option bytes as the flash controller shows them; 0 for a second bank that is not there. */
static inline uint32_t chip_optcr(void) {
  return FLASH_OPTCR;
}
static inline uint32_t chip_optcr1(void) {
  return CHIP_OPTCR1;
}

typedef struct {
  uint32_t flash_kib; /* 512, 1024 or 2048 */
  uint32_t bank_kib;  /* equals flash_kib when there is one bank */
} chip_geometry;

/*
 * Reads the flash size and DB1M. True when the geometry is one the program knows: a size of the
 * family's, and not 1 MB in two banks (DB1M).
 */
bool chip_read_geometry(chip_geometry *chip);

typedef struct {
  uint32_t address;
  uint32_t size; /* 0: no such sector */
} chip_sector;

/* Place and size of sector `sector` (0..11, and 12..23 in a second bank). */
chip_sector chip_sector_at(const chip_geometry *chip, uint32_t sector);

#define CHIP_SECTORS 24u

/*
 * Number of the sector that holds [address, address + length) as a whole, or CHIP_SECTORS. No
 * overflow for any input.
 */
uint32_t chip_find_sector(const chip_geometry *chip, uint32_t address, uint32_t length);

/* True when read protection is off (level 0). */
bool chip_is_open(uint32_t optcr);

/* True when read protection is at level 1. */
bool chip_is_level1(uint32_t optcr);

#endif
