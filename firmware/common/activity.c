/* What the program is doing: see activity.h. */
#include "activity.h"

#include "tick.h"
#include "transport.h"

void activity_begin(chip_activity activity, uint32_t argument) {
  tick_activity = (uint8_t)activity;
  transport_show_activity(activity, argument);
}
