/*
 * The STM32F4 chips of the target stm32f4: a row for each DEV_ID (docs/reference/stm32f4.md §1.4,
 * §3.1; RM0090, RM0386).
 */
#ifndef BF_CHIPS_STM32F4_H
#define BF_CHIPS_STM32F4_H

#include <stdint.h>

#include "protocol.h"

typedef struct {
  uint16_t dev_id;
  uint8_t random; /* has a random generator: without one nothing can be kept secret */
  uint8_t two_banks;
  uint8_t latency; /* wait states of flash at 160 MHz */
  uint8_t vos;     /* voltage scale 1, PWR_CR@15:14 */
  uint16_t errors; /* error flags of FLASH_SR */
} chip_facts;

/* The row of the chip this runs on; valid once chip_refusal() has returned ERROR_NONE. */
extern const chip_facts *chip_here;

#define CHIP_IS(id) ((id) == chip_here->dev_id)
#define CHIP_TWO_BANKS (chip_here->two_banks)
#define CHIP_LATENCY ((uint32_t)chip_here->latency)
#define PWR_CR_VOS_SCALE1 ((uint32_t)chip_here->vos << 14)
#define FLASH_SR_ERRORS ((uint32_t)chip_here->errors)

/*
 * Finds the chip. ERROR_WRONG_CHIP when no row has its DEV_ID, ERROR_NO_RANDOM when it has no
 * random generator, else ERROR_NONE.
 */
session_error chip_refusal(void);

#endif
