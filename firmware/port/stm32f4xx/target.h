/*
 * What differs between the chips the stub is built for, under one set of names: constants where
 * there is one chip, the row of a table where there are many. The names are
 *   CHIP_IS(id), CHIP_TWO_BANKS        identity; whether bank 2, OPTCR1 and DB1M exist
 *   CHIP_LATENCY                       wait states of flash that do at 160 MHz and any supply
 *   PWR_CR_VOS_SCALE1                  voltage scale 1 in PWR_CR
 *   FLASH_SR_ERRORS                    the error flags SR has
 *   chip_refusal()                     the error that forbids to work on this chip at all, or
 *                                      ERROR_NONE; to be asked before anything else
 */
#ifndef BF_TARGET_H
#define BF_TARGET_H

#include <stdint.h>

#include "protocol.h"

#if defined STUB_TARGET_stm32f4 && !defined PROGRAM_LOADER
#include "chips_stm32f4.h"
#elif defined STUB_TARGET_stm32f4

/* The loader, for F405, F407, F415 and F417 alone: VOS is one bit, there is no RDERR. */
#define CHIP_IS(id) ((id) == 0x413u)
#define CHIP_TWO_BANKS 0
#define CHIP_LATENCY 7u
#define PWR_CR_VOS_SCALE1 (1u << 14)
#define FLASH_SR_ERRORS 0x0F2u

#else

/* RM0090 sections 3.9, 5.4.1 (STM32F42xxx and STM32F43xxx); RM0386 for the F469 and F479. */
#if defined PROGRAM_LOADER
#define CHIP_IS(id) ((id) == 0x419u || (id) == 0x434u)
#else
#define CHIP_IS(id) ((id) == 0x419u)
#endif
#define CHIP_TWO_BANKS 1
#define CHIP_LATENCY 8u
#define PWR_CR_VOS_SCALE1 (3u << 14)
#define FLASH_SR_ERRORS 0x1F2u

static inline session_error chip_refusal(void) {
  return ERROR_NONE;
}

#endif

/*
 * PWR_CR while the program runs. A program whose stack is in backup SRAM keeps DBP set, or nothing
 * it stores there would arrive.
 */
#if defined PROGRAM_IN_BACKUP_SRAM
#define PWR_CR_USUAL (PWR_CR_VOS_SCALE1 | PWR_CR_DBP)
#else
#define PWR_CR_USUAL PWR_CR_VOS_SCALE1
#endif

/* OPTCR1, which is bank 2's; 0 where there is none. */
#define CHIP_OPTCR1 (CHIP_TWO_BANKS ? FLASH_OPTCR1 : 0u)

#endif
