/* What start.S calls: the main program and the exceptions. */
#ifndef BF_ENTRY_H
#define BF_ENTRY_H

#include <stdint.h>

void stub_main(void);
void tick_irq(void);
void flash_irq(void);
void fault_main(uint32_t sp);

#endif
