/*
 * The flash port: an engine that erases and programs on interrupts, so that the next command can be
 * opened meanwhile.
 *
 * While an operation runs nothing reads the array and nothing writes the control register.
 * Operations are numbered as they are queued, from 1 on, and done in that order: number n is done
 * once flash_done(n) says so.
 */
#ifndef BF_FLASH_H
#define BF_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "chip.h"
#include "protocol.h"

/* Bytes in front of an operation that can be read back with it: the boot words. */
#define FLASH_BOOT_PREFIX 64u

/* Puts the controller into a known, locked state. Fails when it is busy and stays so. */
void flash_start(void);

/* The flash interrupt, for the vector table. */
void flash_irq(void);

/*
 * Chooses the programming width for the coming session and clears counters; does before what
 * flash_start does, for an operation given up may still run.
 */
void flash_begin(flash_width psize);

/* Unlocks if locked, fails when it stays locked; only while a session is active. */
void flash_unlock(void);

/* True when one more operation may be queued. */
bool flash_can_queue(void);

/*
 * Queues the erase of sector `sector`, which begins at `address`, or of everything for ERASE_ALL.
 * Returns the operation's number.
 */
uint32_t flash_erase(uint32_t sector, uint32_t address);

/*
 * True when erasing the sectors of `mask` one by one takes longer than erasing everything at once
 * (docs/reference/stm32f4.md section 3.8).
 */
bool flash_all_is_faster(const chip_geometry *chip, uint32_t mask);

/*
 * Queues `bytes` (a multiple of 4) at `address` (a multiple of 4). Words of FFFFFFFF are skipped.
 * The engine clears the source behind itself, and when all is programmed fills it with what flash
 * reads, while no operation runs; `boot_prefix`, unless NULL, takes the FLASH_BOOT_PREFIX bytes in
 * front of `address` then. Returns the operation's number; the source is the caller's again once
 * that is done.
 */
uint32_t flash_program(uint32_t address, uint32_t *source, uint32_t bytes, uint8_t *boot_prefix);

/* True when that operation is done; when all are. */
bool flash_done(uint32_t operation_number);
bool flash_idle(void);

/* Words programmed in this session. */
uint32_t flash_words(void);

/*
 * Fails when an error flag was raised, or an operation lasts more than twice what the data sheet
 * allows.
 */
void flash_check(void);

/* Waits until everything queued is done; fails as flash_check. */
void flash_wait(void);

/*
 * Drops what is queued and what the running operation has left; the engine reads no source any
 * more.
 */
void flash_drop(void);

/* Drops, waits for the store or erase that runs (bounded), locks. */
void flash_stop(void);

/*
 * Programs read protection level 1 and, where asked, write protection of sector 0, in one write,
 * all other options as they are, and waits until that is done; fails when it is not in time, or
 * with an error flag.
 */
void flash_protect(bool sector_0);

#endif
