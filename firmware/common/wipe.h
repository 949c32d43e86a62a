/* What must not outlive a session, and its end. */
#ifndef BF_WIPE_H
#define BF_WIPE_H

#include "protocol.h"

/*
 * Clears every SECTION_SECRET, the chip's key with it unless `next` is a state that it outlives,
 * and the stack below the caller. Callers must have stopped the flash engine.
 */
void wipe_secrets(session_state next);

#endif
