/* The memory protection unit, as the installer needs it. */
#ifndef BF_MEMORY_H
#define BF_MEMORY_H

/*
 * From now on: backup SRAM is normal memory without instructions, but for a strip below the stack
 * that nobody may touch; code in SRAM is read only, the rest of SRAM holds no instructions.
 */
void memory_protect(void);

#endif
