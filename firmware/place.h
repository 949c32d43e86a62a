/* Where a variable lies. */
#ifndef BF_PLACE_H
#define BF_PLACE_H

/* Behind the small ones: those are then near to one another, and their addresses short. */
#define LARGE __attribute__((section(".bss.large")))

#endif
