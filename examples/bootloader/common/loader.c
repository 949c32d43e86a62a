/* The way into the resident loader: see loader.h. RM0090, chapters PWR (DBP) and RTC (RTC_BKPxR). */
#include "loader.h"
#include "console.h"
#include "stm32f427.h"

_Noreturn void loader_enter(void) {
    console_drain();
    interrupts_off();
    RCC_APB1ENR |= RCC_APB1ENR_PWR;
    (void)RCC_APB1ENR;
    PWR_CR |= PWR_CR_DBP;
    RTC_BKP(LOADER_RTC_REGISTER) = LOADER_RTC_WORD;
    (void)RTC_BKP(LOADER_RTC_REGISTER);
    /* Both survive the reset; with either on, the loader does not use its keys. */
    SCB_DEMCR &= ~SCB_DEMCR_TRCENA;
    FP_CTRL = FP_CTRL_OFF;
    barrier();
    SCB_AIRCR = SCB_AIRCR_RESET;
    barrier();
    for (;;) {
    }
}

bool loader_knocked(char c) {
    static const char name[] = {'B', 'F', 'K', 'N', 'O', 'C', 'K', '2'};
    static unsigned heard;
    heard = c == name[heard] ? heard + 1 : c == name[0];
    if (heard < sizeof name) return false;
    heard = 0;
    return true;
}
