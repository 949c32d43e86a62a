/* How an image that lives behind the resident loader asks for it (docs/loader.md, "Entering and leaving the
 * installer"). The loader is made with --rtc 19=0x4f464e49, the register and the word below. */
#ifndef LOADER_H
#define LOADER_H

#include <stdbool.h>
#include <stdint.h>

#define LOADER_RTC_REGISTER 19
#define LOADER_RTC_WORD UINT32_C(0x4F464E49)

/* Leaves the word and resets; the loader's installer runs next, for 200 ms unless an agent knocks. */
_Noreturn void loader_enter(void);

/* Takes every byte received. True when it is the last one of a knock: an agent looks for the loader
 * (docs/serial-link.md, "The knock"). */
bool loader_knocked(char c);

#endif
