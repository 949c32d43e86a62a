/*
 * The serial link (docs/serial-link.md) up to whole packets: finding the agent and its bit rate,
 * COBS, checksum, what is dropped. What packets mean is serial_transport.c's.
 */
#ifndef BF_LINK_H
#define BF_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "sha512.h"

/*
 * Buffers for packets: one is being filled, the others may be kept. At 921600 bit/s those of the
 * F42x take in what comes while 128 KB are erased and those before are digested, 1.1 s. At most 32.
 */
#if defined STUB_TARGET_stm32f4
#define LINK_BUFFERS 12u
#else
#define LINK_BUFFERS 26u
#endif

/* Searching; call once clock and ticks run. */
void link_start(void);

/*
 * Sends what waits to be sent as far as the UART takes it, and works off one packet if it is there.
 * True when there was one.
 */
bool link_poll(void);

/* Waits until a byte comes or `*changes` is no longer `seen`; not with something to send. */
void link_wait(const volatile uint32_t *changes, uint32_t seen);

/*
 * Queues a packet whose body is these parts; waits while there is no room. While the bit time is
 * searched for, nothing is sent, for nobody could read it.
 */
void link_send(uint32_t type, const bf_part *part, uint32_t parts);

/* Sends all that is queued. */
void link_flush(void);

/* Changes to this bit rate, on trial; nothing happens when it cannot be made. */
void link_try_rate(uint32_t bits_per_second);

/* Packets dropped since the start. */
uint32_t link_dropped(void);

/* True once a knock was answered. */
bool link_knocked(void);

/*
 * A packet with the right checksum, handed to serial_transport.c: `body` is in buffer `buffer`.
 * False when its type or size is none there is.
 */
bool link_packet(uint32_t type, const uint8_t *body, uint32_t length, uint32_t buffer);

/* A whole knock has come: to be answered by IDENT. */
void link_answer_knock(void);

/* Keeps a buffer from being filled anew; gives it back. */
void link_keep(uint32_t buffer);
void link_release(uint32_t buffer);

/* What lies behind the type in a buffer. */
const uint8_t *link_body(uint32_t buffer);

#endif
