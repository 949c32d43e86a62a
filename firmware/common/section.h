/* Where a variable lies. */
#ifndef BF_SECTION_H
#define BF_SECTION_H

/* Behind the small ones: those are then near to one another, and their addresses short. */
#define LARGE __attribute__((section(".bss.large")))

#endif
