/*
 * Where the loader, what it keeps and the image lie in flash, and what the loader's boot takes of
 * SRAM (docs/loader.md, "Where things lie"). The linker scripts have the same numbers.
 */
#ifndef BF_FLASH_MAP_H
#define BF_FLASH_MAP_H

#include "config_layout.h"

#define LOADER_SLOTS_SIZE 0x800u
/* Sectors 2 and 3: the journal, two banks. */
#define JOURNAL_BANK_0 0x08008000u
#define JOURNAL_BANK_1 0x0800C000u
#define JOURNAL_BANK_SIZE 0x4000u
#define JOURNAL_FIRST_SECTOR 2u
#define IMAGE_START LOADER_IMAGE
#define IMAGE_FIRST_SECTOR 4u

/* The last words of SRAM: a word that tells boot to pass the entry rules, below it boot's stack. */
#define SRAM_START 0x20000000u
#if defined STUB_TARGET_stm32f4
#define SRAM_END 0x20020000u
#else
#define SRAM_END 0x20030000u
#endif
/* Where the SRAM of an image ends: the F469 has more than the F42x. */
#if defined STUB_TARGET_stm32f4
#define SRAM_IMAGE_END SRAM_END
#else
#define SRAM_IMAGE_END (chip_dev_id() == 0x434u ? 0x20050000u : SRAM_END)
#endif
#define SKIP_RULES_WORD (SRAM_END - 4u)
#define SKIP_RULES_VALUE 0x4B534642u

#endif
