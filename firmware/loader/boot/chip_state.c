/* What boot does to the chip and takes back: see boot.h. */
#include "boot.h"
#include "registers_loader.h"
#include "util.h"

#define KEY1 0x45670123u
#define KEY2 0xCDEF89ABu
/* Most turns of the loop on SR, of 5 cycles or more: 0.6 ms at 16 MHz. */
#define PROGRAM_TURNS 2000u

void debug_pins(bool on) {
  RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
  (void)RCC_AHB1ENR;
  GPIO_MODER(0) = on ? GPIOA_MODER_RESET : GPIOA_MODER_RESET | GPIOA_MODER_DEBUG_ANALOG;
}

void feed_watchdog(void) {
  IWDG_KR = IWDG_RELOAD;
}

void quiet_chip(void) {
  RCC_AHB1RSTR = RCC_AHB1ENR_CRC;
  RCC_AHB1RSTR = 0;
  RCC_APB1RSTR = RCC_APB1ENR_PWR;
  RCC_APB1RSTR = 0;
  RCC_APB1ENR = 0;
}

static void clear_backup_sram(void) {
  RCC_APB1ENR |= RCC_APB1ENR_PWR;
  RCC_AHB1ENR |= RCC_AHB1ENR_BKPSRAM;
  (void)RCC_AHB1ENR;
  PWR_CR |= PWR_CR_DBP;
  (void)PWR_CR;
  for (uint32_t at = BACKUP_SRAM; at < BACKUP_SRAM + BACKUP_SRAM_SIZE; at += 4) REG32(at) = 0;
}

/* Byte by byte, which every supply allows; the core waits while flash is busy. */
static void program_bytes(uint32_t to, uint32_t value) {
  FLASH_KEYR = KEY1;
  FLASH_KEYR = KEY2;
  FLASH_CR = FLASH_CR_PG | FLASH_CR_PSIZE(0);
  for (uint32_t i = 0; i < 4; i++, value >>= 8) {
    *(volatile uint8_t *)(to + i) = (uint8_t)value;
    for (uint32_t left = PROGRAM_TURNS; (FLASH_SR & FLASH_SR_BSY) != 0 && left != 0;) left--;
  }
  FLASH_CR = FLASH_CR_LOCK;
}

void close_use(const uint32_t *word) {
  clear_backup_sram();
  program_bytes((uint32_t)word, USE_BROKEN & *word);
}
