/* What must not outlive a session, and its end. */
#ifndef BF_WIPE_H
#define BF_WIPE_H

/*
 * Clears every SECTION_SECRET and the stack below the caller. Callers must have stopped the flash
 * engine.
 */
void wipe_secrets(void);

#endif
