/* How a step that cannot go on ends: by fail(), which does not return. stub.c holds what happens then. */
#ifndef BF_ABORT_H
#define BF_ABORT_H

#include <stdint.h>

/* Ends the session, or the boot, with an ERROR_ of mailbox.h; never from an interrupt. Goes on in the main loop, on a fresh stack. */
void fail(uint32_t error, uint32_t detail) __attribute__((noreturn));

#endif
