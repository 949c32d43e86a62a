/* The end of what must not outlive a session. */
#ifndef BF_WIPE_H
#define BF_WIPE_H

#include "protocol.h"

/*
 * Clears every SECTION_SECRET, the chip's key with it unless `next` is a state that it outlives,
 * and the stack below the caller. Callers have called flash_drop() before, so that the engine reads
 * no source any more, or interrupts are masked for good (faults.c).
 */
void wipe_secrets(session_state next);

#endif
