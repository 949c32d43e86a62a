/* The chip as the stub itself reads it, and its sectors (RM0090 sections 3.4, 39). */
#ifndef BF_CHIP_H
#define BF_CHIP_H

#include <stdint.h>

#include "target.h"

#define CHIP_FLASH 0x08000000u
#define CHIP_UID_SIZE 12

typedef struct {
  uint32_t flash_kib; /* 512, 1024 or 2048 */
  uint32_t bank_kib;  /* equals flash_kib when there is one bank */
} chip_geometry;

/* Reads the flash size and DB1M. Returns 0, or 1 when the size is none of the family's, or 1 MB in two banks (DB1M). */
int chip_read_geometry(chip_geometry *chip);

typedef struct {
  uint32_t address;
  uint32_t size; /* 0: no such sector */
} chip_sector;

/* Sector `number` (0..11, and 12..23 in a second bank). */
chip_sector chip_sector_at(const chip_geometry *chip, uint32_t number);

#define CHIP_SECTORS 24u

/* Number of the sector that holds [address, address + length) as a whole, or CHIP_SECTORS. No overflow for any input. */
uint32_t chip_find_sector(const chip_geometry *chip, uint32_t address, uint32_t length);

/* True when read protection is off (level 0). */
int chip_is_open(uint32_t optcr);

/* True when read protection is at level 1. */
int chip_is_level1(uint32_t optcr);

#endif
