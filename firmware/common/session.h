/*
 * The life of a session (docs/mailbox.md, "States"): host commands, sealed commands in hand, the
 * idle limit, the end. Its state is set by session_enter() and nowhere else.
 */
#ifndef BF_SESSION_H
#define BF_SESSION_H

#include <stdint.h>

#include "protocol.h"

/* The state now. */
session_state session_current(void);

/*
 * Moves to a state and publishes it. Called by session.c, by the sealed commands FINAL and LOCK, at
 * the end of the start and by a CPU fault.
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
