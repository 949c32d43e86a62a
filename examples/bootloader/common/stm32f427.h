/* Registers of the STM32F427 that the two example images touch.
 * Our own transcription; addresses and bits after RM0090 (chapters RCC, GPIO, USART, electronic
 * signature, debug) and the ARMv7-M system control space. Names follow the reference manual. */
#ifndef STM32F427_H
#define STM32F427_H

#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(address))
#define REG16(address) (*(volatile uint16_t *)(address))
#define BIT(n) (UINT32_C(1) << (n))

/* Memory. */
#define FLASH_START UINT32_C(0x08000000)
#define APPLICATION_START UINT32_C(0x08020000) /* sector 5, the first of 128 KiB */
#define APPLICATION_END UINT32_C(0x08100000)   /* end of bank 1 */
#define SRAM_START UINT32_C(0x20000000)        /* SRAM1, SRAM2 and SRAM3 are contiguous */
#define SRAM_END UINT32_C(0x20030000)
#define BACKUP_SRAM_START UINT32_C(0x40024000) /* 4 KiB */

/* Reset and clock control. */
#define RCC_AHB1ENR REG32(0x40023830)
#define RCC_APB1ENR REG32(0x40023840)
#define RCC_APB2ENR REG32(0x40023844)
#define RCC_CSR REG32(0x40023874)
#define RCC_AHB1ENR_GPIOA BIT(0)
#define RCC_AHB1ENR_GPIOB BIT(1)
#define RCC_AHB1ENR_BKPSRAM BIT(18)
#define RCC_APB1ENR_PWR BIT(28)
#define RCC_APB2ENR_USART1 BIT(4)
#define RCC_CSR_RMVF BIT(24)

/* Power control, and the words that outlive a reset. */
#define PWR_CR REG32(0x40007000)
#define PWR_CSR REG32(0x40007004)
#define PWR_CR_DBP BIT(8)
#define PWR_CSR_BRR BIT(3)
#define PWR_CSR_BRE BIT(9)
#define RTC_BKP(n) REG32(UINT32_C(0x40002850) + 4 * (n))

/* General-purpose I/O; `port` is 0 for A, 1 for B, … */
#define GPIO_BASE(port) (UINT32_C(0x40020000) + UINT32_C(0x400) * (port))
#define GPIO_MODER(port) REG32(GPIO_BASE(port) + 0x00)
#define GPIO_OSPEEDR(port) REG32(GPIO_BASE(port) + 0x08)
#define GPIO_PUPDR(port) REG32(GPIO_BASE(port) + 0x0C)
#define GPIO_BSRR(port) REG32(GPIO_BASE(port) + 0x18)
#define GPIO_AFRH(port) REG32(GPIO_BASE(port) + 0x24)

/* USART1. */
#define USART1_SR REG32(0x40011000)
#define USART1_DR REG32(0x40011004)
#define USART1_BRR REG32(0x40011008)
#define USART1_CR1 REG32(0x4001100C)
#define USART_SR_RXNE BIT(5)
#define USART_SR_TC BIT(6)
#define USART_SR_TXE BIT(7)
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_CR1_RXNEIE BIT(5)
#define USART_CR1_UE BIT(13)
#define USART1_IRQ 37

/* Device identity. */
#define UID_WORD(n) REG32(UINT32_C(0x1FFF7A10) + 4 * (n))
#define FLASH_SIZE_KIB REG16(0x1FFF7A22)
#define DBGMCU_IDCODE REG32(0xE0042000)

/* System control space. */
#define SYST_CSR REG32(0xE000E010)
#define SYST_RVR REG32(0xE000E014)
#define SYST_CVR REG32(0xE000E018)
#define SYST_CSR_ENABLE BIT(0)
#define SYST_CSR_TICKINT BIT(1)
#define SYST_CSR_HCLK BIT(2)
#define NVIC_ISER(n) REG32(UINT32_C(0xE000E100) + 4 * (n))
#define NVIC_ICER(n) REG32(UINT32_C(0xE000E180) + 4 * (n))
#define NVIC_ICPR(n) REG32(UINT32_C(0xE000E280) + 4 * (n))
#define NVIC_WORDS 3 /* 91 interrupts */
#define SCB_ICSR REG32(0xE000ED04)
#define SCB_ICSR_PENDSTCLR BIT(25)
#define SCB_VTOR REG32(0xE000ED08)
#define SCB_AIRCR REG32(0xE000ED0C)
#define SCB_AIRCR_RESET UINT32_C(0x05FA0004) /* key and SYSRESETREQ */
#define SCB_CFSR REG32(0xE000ED28)
#define SCB_HFSR REG32(0xE000ED2C)
#define SCB_BFAR REG32(0xE000ED38)
#define FP_CTRL REG32(0xE0002000)
#define FP_CTRL_OFF BIT(1) /* the key that lets a write through, without ENABLE */
#define SCB_DEMCR REG32(0xE000EDFC)
#define SCB_DEMCR_TRCENA BIT(24)

/* Clock after reset: the internal 16 MHz oscillator, no divider anywhere. */
#define CPU_HZ UINT32_C(16000000)

static inline void barrier(void) { __asm__ volatile("dsb\n\tisb" ::: "memory"); }
static inline void interrupts_off(void) { __asm__ volatile("cpsid i" ::: "memory"); }
static inline void interrupts_on(void) { __asm__ volatile("cpsie i" ::: "memory"); }
static inline void wait_for_interrupt(void) { __asm__ volatile("wfi" ::: "memory"); }

#endif
