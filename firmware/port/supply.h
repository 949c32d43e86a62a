/* How wide the supply allows flash to be programmed. */
#ifndef BF_SUPPLY_H
#define BF_SUPPLY_H

#include <stdint.h>

/* Widest programming now: 0 x8, 1 x16, 2 x32; the narrower one when in doubt. */
uint32_t supply_psize(void);

#endif
