/* Backup SRAM: see backup.h. RM0090, chapter PWR, "Backup domain". It is device memory (DDI0403 B3.1): whole words, on
 * their boundaries. */
#include "backup.h"
#include "stm32f427.h"

#define REGULATOR_TURNS UINT32_C(200000)

/* The words at its start; all the rest is free. What is found counts only with its complement beside it. */
#define STARTS REG32(BACKUP_SRAM_START)
#define STARTS_COMPLEMENT REG32(BACKUP_SRAM_START + 4)

/* The regulator keeps it on V_BAT. The loader leaves it off, so it is switched on at every start; where it does not
 * come up there is no battery to keep anything from. */
void backup_start(void) {
    RCC_APB1ENR |= RCC_APB1ENR_PWR;
    RCC_AHB1ENR |= RCC_AHB1ENR_BKPSRAM;
    (void)RCC_AHB1ENR;
    PWR_CR |= PWR_CR_DBP;
    PWR_CSR |= PWR_CSR_BRE;
    for (uint32_t left = REGULATOR_TURNS; left != 0 && !(PWR_CSR & PWR_CSR_BRR); left--) {
    }
}

uint32_t backup_count_start(void) {
    uint32_t before = STARTS == ~STARTS_COMPLEMENT ? STARTS : 0;
    STARTS = before + 1;
    STARTS_COMPLEMENT = ~(before + 1);
    return before + 1;
}
