/*
 * What the installer knows of loader, chip and journal, kept in SRAM: nothing may be read from
 * flash while flash is worked on, or the core waits for up to two seconds.
 */
#ifndef BF_FACTS_H
#define BF_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "handover.h"
#include "protocol.h"

/* Reads config and chip, hashes the loader. False when the config is none. Call first, and once. */
bool facts_start(const handover *found);

/* Reads journal and slots, which have changed. Flash must be idle. */
void facts_refresh(void);

/* What boot found. */
const handover *facts_handover(void);

/* The config, but its keys: those are read where they lie. */
const config *facts_config(void);

/* SHA-512 of the loader as it lies in flash, without config, keys and journal; 64 bytes. */
const uint8_t *facts_loader_hash(void);

/* There is an image that is complete. */
bool facts_image_complete(void);

/* Writes the body of IDENT (docs/serial-link.md), IDENT_SIZE bytes. */
void facts_write_ident(uint8_t *to, session_state state, uint32_t receive_slots);

#endif
