/*
 * Regions of the MPU (ARMv7-M B3.5): see memory.h. Of regions that overlap, the one with the higher
 * number wins. Backup SRAM is Device memory by the default map, where an unaligned access faults;
 * words in strings lie anywhere.
 */
#include "memory.h"

#include <stdint.h>

#include "flash_map.h"
#include "registers_loader.h"

#define MPU_RBAR REG32(0xE000ED9Cu)
#define MPU_RASR REG32(0xE000EDA0u)
#define MPU_RBAR_REGION(number, address) ((address) | BIT(4) | (number))
#define MPU_ON (BIT(0) | BIT(2)) /* what no region holds is as the default map says */

#define ENABLE BIT(0)
#define SIZE(log2) (((log2)-1u) << 1)
#define NORMAL BIT(19) /* TEX 001, not cached */
#define NO_ACCESS 0u
#define READ_WRITE (3u << 24)
#define READ_ONLY (5u << 24)
#define NEVER_RUN BIT(28)

extern uint8_t strip_start[];

static void set_region(uint32_t region, uint32_t address, uint32_t attributes) {
  MPU_RBAR = MPU_RBAR_REGION(region, address);
  MPU_RASR = attributes | ENABLE;
}

void memory_protect(void) {
  set_region(0, SRAM_START, SIZE(19) | NORMAL | READ_WRITE | NEVER_RUN);
  set_region(1, SRAM_START, SIZE(15) | NORMAL | READ_ONLY);
  set_region(2, BACKUP_SRAM, SIZE(12) | NORMAL | READ_WRITE | NEVER_RUN);
  set_region(3, (uint32_t)strip_start, SIZE(5) | NORMAL | NO_ACCESS | NEVER_RUN);
  MPU_CTRL = MPU_ON;
  __asm__ volatile("dsb\n isb" ::: "memory");
}
