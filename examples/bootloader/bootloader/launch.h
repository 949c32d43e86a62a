/* Starts the application; the bootloader does not come back. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "image.h"

#include <stdint.h>

/* Starts a checked application as if it came out of reset; does not return. */
_Noreturn void launch(const struct image_header *header, uint32_t reset_flags);

#endif
