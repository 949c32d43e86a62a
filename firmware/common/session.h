/*
 * The life of a session (docs/mailbox.md, "States"): host commands, sealed commands in hand, the
 * idle limit, the end. The one file that changes the state is session.c.
 */
#ifndef BF_SESSION_H
#define BF_SESSION_H

#include <stdint.h>

#include "protocol.h"

/* The state now. */
session_state session_current(void);

/*
 * Moves to a state and publishes it: for commands that lead to the next one, the start and a fault.
 */
void session_enter(session_state state);

/*
 * The main loop: handles commands, serves sealed commands, watches the clock. Call once the
 * hardware is up.
 */
void session_poll_forever(void) __attribute__((noreturn));

/* Where session_abort() goes on, on an empty stack. */
void session_aborted(session_error error, uint32_t detail) __attribute__((noreturn, used));

#endif
