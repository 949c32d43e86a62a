/* What boot hands to the installer: what it found when the chip came out of reset. */
#ifndef BF_HANDOVER_H
#define BF_HANDOVER_H

#include <stdint.h>

/* Why the installer runs. */
typedef enum {
  ENTRY_NO_IMAGE = 0, /* there is none that may be started */
  ENTRY_RULE = 1,     /* the image asked for it, or a pin */
  ENTRY_LISTEN = 2,   /* somebody knocked as the board started */
} entry_reason;

typedef struct {
  uint32_t rcc_csr;    /* reset flags */
  uint16_t dhcsr;      /* its low half */
  uint8_t breakpoints; /* the flash patch unit is on */
  uint8_t trace;       /* DEMCR.TRCENA */
  uint32_t reason;     /* entry_reason */
} handover;

#endif
