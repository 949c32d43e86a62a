/*
 * Registers the loader touches and the RAM stub does not (RM0090 sections 5.4, 6.3, 8.4, 10.5,
 * 26.6, 30.6; ARMv7-M B3.5, C1.6, C1.11).
 */
#ifndef BF_REGISTERS_LOADER_H
#define BF_REGISTERS_LOADER_H

#include "registers.h"

/* Reset and clock control */
#define RCC_AHB1RSTR REG32(0x40023810u)
#define RCC_AHB2RSTR REG32(0x40023814u)
#define RCC_APB1RSTR REG32(0x40023820u)
#define RCC_APB2RSTR REG32(0x40023824u)
#define RCC_AHB1ENR_GPIOA BIT(0)
#define RCC_AHB1ENR_GPIO(port) BIT(port)
#define RCC_AHB1ENR_BKPSRAM BIT(18)
#define RCC_AHB1ENR_DMA1 BIT(21)
#define RCC_AHB1ENR_DMA2 BIT(22)
#define RCC_AHB1ENR_RESET 0x00100000u /* CCM */
#define RCC_APB2ENR REG32(0x40023844u)
#define RCC_CSR REG32(0x40023874u)
#define RCC_CSR_RMVF BIT(24)
#define RCC_CSR_BORRSTF BIT(25)
#define RCC_CSR_PINRSTF BIT(26)
#define RCC_CSR_PORRSTF BIT(27)
#define RCC_CSR_SFTRSTF BIT(28)
#define RCC_CSR_FLAGS 0xFE000000u
#define RCC_PLLCFGR_RESET 0x24003010u

/* Power control */
#define PWR_CSR_BRE BIT(9)
#define PWR_CR_RESET PWR_CR_VOS_SCALE1

/* Backup domain */
#define RTC_BKP(n) REG32(0x40002850u + 4u * (n))
#define RTC_BKP_COUNT 20u
#define BACKUP_SRAM 0x40024000u
#define BACKUP_SRAM_SIZE 0x1000u

/* General purpose pins; `port` 0 is A */
#define GPIO(port, offset) REG32(0x40020000u + 0x400u * (port) + (offset))
#define GPIO_MODER(port) GPIO(port, 0x00u)
#define GPIO_OSPEEDR(port) GPIO(port, 0x08u)
#define GPIO_PUPDR(port) GPIO(port, 0x0Cu)
#define GPIO_IDR(port) GPIO(port, 0x10u)
#define GPIO_AFR(port, pin) GPIO(port, 0x20u + 4u * ((pin) >> 3))
#define GPIOA_MODER_RESET 0xA8000000u
#define GPIOA_MODER_DEBUG_ANALOG (3u << 26 | 3u << 28) /* PA13, PA14 */

/* Core */
#define SCB_CPACR REG32(0xE000ED88u)
#define SCB_AIRCR REG32(0xE000ED0Cu)
#define SCB_AIRCR_SYSRESETREQ 0x05FA0004u
#define DHCSR REG32(0xE000EDF0u)
#define DHCSR_C_DEBUGEN BIT(0)
#define DBGMCU_CR REG32(0xE0042004u)
#define FP_CTRL REG32(0xE0002000u)
#define FP_CTRL_ENABLE BIT(0)

#endif
