/* What the program is doing: the ticks count it (tick.h), the host is shown it. */
#ifndef BF_ACTIVITY_H
#define BF_ACTIVITY_H

#include <stdint.h>

#include "protocol.h"

/* From now on `activity`, on sector or range `argument`. May be called by the flash interrupt. */
void activity_begin(chip_activity activity, uint32_t argument);

#endif
