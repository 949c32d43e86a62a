/*
 * The installer's transport (transport.h) over the serial link: which packets mean what
 * (docs/serial-link.md, "What answers what").
 */
#ifndef BF_SERIAL_TRANSPORT_H
#define BF_SERIAL_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

/*
 * Works the line: takes at most one packet, sends STATUS where it is due. True when there was a
 * packet.
 */
bool serial_work(void);

/* Waits until there may be something to do: a byte, or `*changes` is no longer `seen`. */
void serial_wait(const volatile uint32_t *changes, uint32_t seen);

/* serial_work() while something takes long; fails when the agent wants to stop or begin anew. */
void serial_look(void);

/* Box of sealed command transport_next() and its length, or NULL: it has not come yet. */
const uint8_t *serial_next_box(uint32_t *length);

/* The job that was brought last is an update file: its header behind the first two words. */
bool serial_brought_file(void);

/* One more frame of it was what was expected: told in place of the last reply. */
void serial_show_frame(void);

/* A JOB or an M2 is being worked on, or not any more. */
void serial_show_shaking(bool shaking);

/* M1 is `length` bytes long (transport_give_m1() has no length). */
void serial_give_m1(const uint8_t *m1, uint32_t length);

/* The agent has taken every reply that was given. */
bool serial_all_fetched(void);

/* True when the line has been silent for `ms`. */
bool serial_silent(uint32_t ms);

#endif
