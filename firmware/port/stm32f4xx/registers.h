/*
 * Registers of the STM32F4 and its Cortex-M4 that the stub touches (RM0090 sections 2.3, 3.9, 5.5,
 * 6.3, 24.4; ARMv7-M).
 */
#ifndef BF_REGISTERS_H
#define BF_REGISTERS_H

#include <stdint.h>

#include "target.h"

#define REG32(address) (*(volatile uint32_t *)(address))
#define BIT(n) (1u << (n))

/* Reset and clock control */
#define RCC_CR REG32(0x40023800u)
#define RCC_CR_HSION BIT(0)
#define RCC_CR_HSIRDY BIT(1)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_PLLCFGR REG32(0x40023804u)
#define RCC_CFGR REG32(0x40023808u)
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_PPRE1_4 (5u << 10)
#define RCC_CFGR_PPRE2_2 (4u << 13)
#define RCC_AHB1ENR REG32(0x40023830u)
#define RCC_AHB1ENR_CRC BIT(12)
#define RCC_AHB2ENR REG32(0x40023834u)
#define RCC_AHB2ENR_RNG BIT(6)
#define RCC_APB1ENR REG32(0x40023840u)
#define RCC_APB1ENR_PWR BIT(28)

/* Power control */
#define PWR_CR REG32(0x40007000u)
#define PWR_CR_PVDE BIT(4)
#define PWR_CR_DBP BIT(8)
#define PWR_CR_PLS(level) ((uint32_t)(level) << 5)
#define PWR_CSR REG32(0x40007004u)
#define PWR_CSR_PVDO BIT(2)

/* CRC */
#define CRC_DR REG32(0x40023000u)
#define CRC_CR REG32(0x40023008u)
#define CRC_CR_RESET BIT(0)

/* Flash interface */
#define FLASH_ACR REG32(0x40023C00u)
#define FLASH_ACR_LATENCY 15u
#define FLASH_KEYR REG32(0x40023C04u)
#define FLASH_OPTKEYR REG32(0x40023C08u)
#define FLASH_SR REG32(0x40023C0Cu)
#define FLASH_SR_EOP BIT(0)
#define FLASH_SR_BSY BIT(16)
#define FLASH_CR REG32(0x40023C10u)
#define FLASH_CR_PG BIT(0)
#define FLASH_CR_SER BIT(1)
#define FLASH_CR_MER BIT(2)   /* bank 1 */
#define FLASH_CR_MER1 BIT(15) /* bank 2 */
#define FLASH_CR_SNB(code) ((uint32_t)(code) << 3)
#define FLASH_CR_PSIZE(code) ((uint32_t)(code) << 8)
#define FLASH_CR_STRT BIT(16)
#define FLASH_CR_EOPIE BIT(24)
#define FLASH_CR_ERRIE BIT(25)
#define FLASH_CR_LOCK BIT(31)
#define FLASH_OPTCR REG32(0x40023C14u)
#define FLASH_OPTCR_LOCK BIT(0)
#define FLASH_OPTCR_STRT BIT(1)
#define FLASH_OPTCR_RDP(value) ((uint32_t)(value) << 8)
#define FLASH_OPTCR_NWRP(sector) BIT(16 + (sector))
#define FLASH_OPTCR_DB1M BIT(30)
#define FLASH_OPTCR1 REG32(0x40023C18u)
#define FLASH_IRQ 4

/* Random number generator */
#define RNG_CR REG32(0x50060800u)
#define RNG_CR_RNGEN BIT(2)
#define RNG_SR REG32(0x50060804u)
#define RNG_SR_DRDY BIT(0)
#define RNG_SR_ERRORS 0x66u /* CECS, SECS, CEIS, SEIS */
#define RNG_DR REG32(0x50060808u)

/* Independent watchdog */
#define IWDG_KR REG32(0x40003000u)
#define IWDG_RELOAD 0xAAAAu

/* Identity */
#define UID_BYTES ((const uint8_t *)0x1FFF7A10u)
#define FLASH_KIB (*(const volatile uint16_t *)0x1FFF7A22u)
#define DBGMCU_IDCODE REG32(0xE0042000u)

/* Core */
#define SYST_CSR REG32(0xE000E010u)
#define SYST_CSR_RUN 7u /* processor clock, interrupt, enable */
#define SYST_RVR REG32(0xE000E014u)
#define SYST_CVR REG32(0xE000E018u)
#define NVIC_ISER(n) REG32(0xE000E100u + 4u * (n))
#define NVIC_ICER(n) REG32(0xE000E180u + 4u * (n))
#define NVIC_ICPR(n) REG32(0xE000E280u + 4u * (n))
#define NVIC_REGISTERS 3u
#define SCB_ICSR REG32(0xE000ED04u)
#define SCB_ICSR_PENDSTCLR BIT(25)
#define SCB_ICSR_PENDSTSET BIT(26)
#define SCB_VTOR REG32(0xE000ED08u)
#define SCB_SHCSR REG32(0xE000ED24u)
#define SCB_SHCSR_FAULTS (BIT(16) | BIT(17) | BIT(18))
#define SCB_CFSR REG32(0xE000ED28u)
#define SCB_HFSR REG32(0xE000ED2Cu)
#define SCB_MMFAR REG32(0xE000ED34u)
#define SCB_BFAR REG32(0xE000ED38u)
#define MPU_CTRL REG32(0xE000ED94u)
#define DEMCR REG32(0xE000EDFCu)
#define DEMCR_TRCENA BIT(24)
#define DWT_CTRL REG32(0xE0001000u)
#define DWT_CTRL_CYCCNTENA BIT(0)
#define DWT_CYCCNT REG32(0xE0001004u)

static inline void irq_off(void) {
  __asm__ volatile("cpsid i" ::: "memory");
}

static inline void irq_on(void) {
  __asm__ volatile("cpsie i" ::: "memory");
}

#endif
