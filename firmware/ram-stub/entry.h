/*
 * What start.S calls: the main program and the end of a fault; the interrupts are in tick.h and
 * flash.h.
 */
#ifndef BF_ENTRY_H
#define BF_ENTRY_H

#include <stdint.h>

void stub_main(void);
void fault_main(uint32_t sp);

#endif
