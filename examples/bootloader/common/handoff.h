/* Sixty-four bytes at the top of SRAM1, above both stacks: what the bootloader tells the application. */
#ifndef HANDOFF_H
#define HANDOFF_H

#include <stdint.h>

#define HANDOFF_MAGIC UINT32_C(0x4F444E48) /* "HNDO" in memory order */

struct handoff {
    uint32_t magic;
    uint32_t reset_flags;  /* RCC_CSR as found at start */
    uint32_t boot_millis;  /* time spent in the bootloader */
    uint32_t body_crc32;   /* of the application it started */
};

/* Placed by the linker scripts at 0x2001BFC0. */
extern struct handoff handoff;

#endif
