/* The stub's side of the mailbox (docs/mailbox.md): control page, frame ring, reply ring. Nothing read here is trusted twice. */
#ifndef BF_MAILBOX_TRANSPORT_H
#define BF_MAILBOX_TRANSPORT_H

#include <stdint.h>

#include "mailbox.h"

/* A word of the control page. */
#define MB(name) (*(volatile uint32_t *)(MEM_CONTROL + MB_##name))

/* Where a message of the control page lies. */
#define MB_BYTES(name) ((uint8_t *)(MEM_CONTROL + MB_##name))

/* Clears what a session left: sequences, rings' sequence words, REPLY_ACK. */
void mbox_reset(void);

/* The state as STATUS says it. */
uint32_t mbox_state(void);

/* Writes STATUS with a new state. */
void mbox_set_state(uint32_t state);

/* Writes ERROR and DETAIL. */
void mbox_set_error(uint32_t error, uint32_t detail);

/* Writes ACTIVITY: what goes on, and on which sector or range. */
void mbox_activity(uint32_t activity, uint32_t argument);

/* The sequence word of the only slot looked at, that of accepted + 1; it equals mbox_next() once the frame is there. */
const volatile uint32_t *mbox_watch(void);
uint32_t mbox_next(void);

/*
 * Copies the box of frame mbox_next() to `box` (TRAILER_SIZE + BOX_IMAGE bytes) and checks the copy. Returns its length, or 0 when
 * length or CRC are wrong; want-again in STATUS says which.
 */
uint32_t mbox_fetch(uint8_t *box);

/* Counts frame mbox_next() as accepted. */
void mbox_accept(void);

/* True when reply `sequence` may be written. */
int mbox_room(uint32_t sequence);

/* Writes a sealed reply of BOX_REPLY bytes; STATUS follows with the next mbox_accept or mbox_set_state, or at once by mbox_publish. */
void mbox_reply(uint32_t sequence, const uint8_t *box);
void mbox_publish(void);

#endif
