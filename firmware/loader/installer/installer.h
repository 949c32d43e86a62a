/* What start.S of the installer calls, and what it is called for. */
#ifndef BF_INSTALLER_H
#define BF_INSTALLER_H

#include "handover.h"

void installer_main(const handover *found) __attribute__((noreturn));

/* Clears backup SRAM and resets the chip; boot then passes the entry rules. Nothing returns. */
void leave_by_reset(void) __attribute__((noreturn));

#endif
