/* Four kilobytes that outlive a reset, and with a battery on V_BAT a loss of power. */
#ifndef BACKUP_H
#define BACKUP_H

#include <stdint.h>

/* Makes backup SRAM usable; must come before backup_count_start. */
void backup_start(void);

/* Counts this start; returns its number, 1 after backup SRAM was cleared: by a loss of power without a battery, or by
 * the loader's installer, which has used it. */
uint32_t backup_count_start(void);

#endif
