/* Chip identity and geometry: see chip.h. */
#include "chip.h"

#include "registers.h"

#define KIB 1024u
#define BANK2_SECTOR 12u
#define RDP_LEVEL0 0xAAu
#define RDP_LEVEL2 0xCCu

bool chip_read_geometry(chip_geometry *chip) {
  uint32_t kib = FLASH_KIB;
  chip->flash_kib = kib;
  chip->bank_kib = kib == 2048 ? kib / 2 : kib;
  bool two_banks_of_512 = kib == 1024 && CHIP_TWO_BANKS && (FLASH_OPTCR & FLASH_OPTCR_DB1M) != 0;
  return (kib == 512 || kib == 1024 || (kib == 2048 && CHIP_TWO_BANKS)) && !two_banks_of_512;
}

chip_sector chip_sector_at(const chip_geometry *chip, uint32_t sector) {
  uint32_t bank = sector >= BANK2_SECTOR, in_bank = sector - bank * BANK2_SECTOR;
  uint32_t start = (in_bank - 4) * 128, size = 128; /* in the bank, KiB */
  if (in_bank < 4) {
    start = in_bank * 16;
    size = 16;
  } else if (in_bank == 4) {
    start = size = 64;
  }
  uint32_t offset = bank * chip->bank_kib + start;
  bool exists = sector < CHIP_SECTORS && start < chip->bank_kib && offset < chip->flash_kib;
  return (chip_sector){CHIP_FLASH + offset * KIB, exists ? size * KIB : 0};
}

uint32_t chip_find_sector(const chip_geometry *chip, uint32_t address, uint32_t length) {
  for (uint32_t i = 0; i < CHIP_SECTORS; i++) {
    chip_sector s = chip_sector_at(chip, i);
    uint32_t into = address - s.address;
    if (into < s.size && length <= s.size - into) return i;
  }
  return CHIP_SECTORS;
}

bool chip_is_open(uint32_t optcr) {
  return (optcr >> 8 & 0xFFu) == RDP_LEVEL0;
}

bool chip_is_level1(uint32_t optcr) {
  return !chip_is_open(optcr) && (optcr >> 8 & 0xFFu) != RDP_LEVEL2;
}
