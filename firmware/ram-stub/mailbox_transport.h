/*
 * The RAM stub's mailbox (docs/mailbox.md): words and bytes of its control page. Nothing read here
 * is trusted twice.
 */
#ifndef BF_MAILBOX_TRANSPORT_H
#define BF_MAILBOX_TRANSPORT_H

#include <stdint.h>

#include "mailbox.h"
#include "transport.h"

/* A word of the control page; `offset` is one of MAILBOX_... */
static inline volatile uint32_t *mailbox_word(uint32_t offset) {
  return (volatile uint32_t *)(MEM_CONTROL + offset);
}

/* Where a message of the control page lies. */
static inline uint8_t *mailbox_bytes(uint32_t offset) {
  return (uint8_t *)(MEM_CONTROL + offset);
}

#endif
