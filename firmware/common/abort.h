/*
 * How a step that cannot go on ends: by session_abort(), which does not return, so that no step has
 * to hand an error on. Where a header says that a function "fails", it calls session_abort(). One
 * that reports instead returns true for success, or a number: 0, or what went wrong.
 */
#ifndef BF_ABORT_H
#define BF_ABORT_H

#include <stdint.h>

#include "protocol.h"

/*
 * Ends the session, or refuses the boot: empties the stack and goes on in session_aborted()
 * (session.c), which tells the controller, wipes and returns to the main loop. Never from an
 * interrupt. `detail` is what the error's row in protocol.h says.
 */
void session_abort(session_error error, uint32_t detail) __attribute__((noreturn));

#endif
