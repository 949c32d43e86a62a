/* The parts of boot: see main.c. It runs from flash, on the last words of SRAM. */
#ifndef BF_BOOT_H
#define BF_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "handover.h"
#include "journal.h"

/* Called by the reset vector. */
void boot_main(void) __attribute__((noreturn));

/* SWD pins: `on` as after reset, else analog, so that no debugger reaches the core. */
void debug_pins(bool on);

/* True when the image named by the record may be started; reads all of it when `whole`. */
bool image_good(const journal_record *complete, bool whole);

/* The entry rule that holds, or ENTRY_NO_IMAGE for none; an RTC word that held is used up. */
entry_reason entry_rule(void);

/* Clears backup SRAM and closes the use word as broken. */
void close_use(const uint32_t *word);

/* Feeds the independent watchdog, which an option byte may have started with the power. */
void feed_watchdog(void);

/* Peripherals as after reset, but for the debug pins. */
void quiet_chip(void);

/* start.S: everything of the core as after reset, then the image. */
void jump_to_image(const uint32_t *vectors) __attribute__((noreturn));

/* start.S: copies the installer to SRAM and enters it. */
void enter_installer(const handover *found) __attribute__((noreturn));

#endif
