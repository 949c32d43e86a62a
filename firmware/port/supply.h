/* How wide the supply allows flash to be programmed. */
#ifndef BF_SUPPLY_H
#define BF_SUPPLY_H

#include "protocol.h"

/* Widest programming now: 0 x8, 1 x16, 2 x32; the narrower one when in doubt. */
flash_width supply_psize(void);

#endif
