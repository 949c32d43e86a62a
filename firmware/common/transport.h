/*
 * The transport port: how a sealed session reaches the host (the agent's computer). The RAM stub's
 * implementation is the mailbox in SRAM (ram-stub/mailbox_transport.c); the loader's is
 * the serial link (loader/installer/serial_transport.c). Nothing in common/ knows more than this.
 *
 * The host is not trusted: whatever comes from it is copied to private memory before it is looked
 * at, and looked at once.
 */
#ifndef BF_TRANSPORT_H
#define BF_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

/* -- What the host asks -- */

/*
 * The word in RAM where the host leaves a host_command; to be set to HOST_COMMAND_NONE when it has
 * been handled. The host may write at any time, and any value.
 */
volatile uint32_t *transport_host_command(void);

/*
 * The word in RAM with the length in bytes the host gives its job: to be read once, for the host
 * may write at any time, and any value.
 */
const volatile uint32_t *transport_job_length(void);

/* Copies the first `length` bytes of the job. */
void transport_take_job(uint8_t *to, uint32_t length);

/* Copies M2 of the handshake. */
void transport_take_m2(uint8_t m2[M2_SIZE]);

/* -- What the host is given -- */

/* SHA-512 of the program, 64 bytes, for a host that wants to know before the handshake. */
void transport_give_program_hash(const uint8_t hash[64]);

/* M1 and M3 of the handshake. */
void transport_give_m1(const uint8_t m1[M1_SIZE]);
void transport_give_m3(const uint8_t m3[M3_SIZE]);

/* -- Sealed commands -- */

/* Forgets what a session left: sequences, sealed commands and replies under way. */
void transport_reset(void);

/* Sequence of the next sealed command, from 1 on. */
uint32_t transport_next(void);

/*
 * A word in RAM that equals transport_next() once that sealed command is there: the main loop waits
 * on it without calling anybody.
 */
const volatile uint32_t *transport_arrival(void);

/*
 * Copies the box of sealed command transport_next() to `box` (TRANSPORT_BOX_BUFFER bytes) and
 * checks the copy. Returns its length, or 0 when it was damaged on the way: the host is then asked
 * for it again.
 */
uint32_t transport_receive(uint8_t *box);

/* The longest box, and what a transport may write behind it. */
#define TRANSPORT_BOX_BUFFER (BOX_IMAGE + 16u)

/* Counts sealed command transport_next() as accepted and publishes. */
void transport_accept(void);

/* -- Replies -- */

/* True when reply `sequence` may be given: the host has fetched enough of those before it. */
bool transport_can_reply(uint32_t sequence);

/*
 * Gives a sealed reply of BOX_REPLY bytes. The host sees it with the next accept or state, or at
 * once by transport_publish.
 */
void transport_reply(uint32_t sequence, const uint8_t *box);
void transport_publish(void);

/* -- Status and progress -- */

/* The session's state: kept and published. Only session_enter() sets it. */
session_state transport_state(void);
void transport_show_state(session_state state);

/* Why the session ended, and the detail that goes with it; a new state is shown after it. */
void transport_show_error(session_error error, uint32_t detail);

/*
 * What goes on, and on which sector or range. Only activity_begin() calls it, also from the flash
 * interrupt.
 */
void transport_show_activity(chip_activity activity, uint32_t argument);

/* Words programmed, handshakes begun. */
void transport_show_words(uint32_t words);
void transport_show_handshakes(uint32_t handshakes);

/* Tells the host that the program is up; what was shown before is valid from now on. */
void transport_announce(void);

#endif
