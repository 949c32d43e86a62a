/* What must not outlive a session, and its end. */
#ifndef BF_WIPE_H
#define BF_WIPE_H

/* Puts a static variable on the list of secrets: the linker gathers them, wipe_secrets clears them all. */
#define SECRET __attribute__((section(".secret")))

/* Clears every SECRET and the stack below the caller. Callers must have stopped the flash engine. */
void wipe_secrets(void);

#endif
