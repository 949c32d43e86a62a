/* Where a variable lies: the linker script gathers these sections. */
#ifndef BF_SECTION_H
#define BF_SECTION_H

/* Behind the small ones: those are then near to one another, and their addresses short. */
#define SECTION_LARGE __attribute__((section(".bss.large")))

/* Behind those, in the loader: buffers that are written before they are read. */
#define SECTION_BUFFER __attribute__((section(".buffers")))

/* On the list of a session's secrets: wipe_secrets() clears them all. */
#define SECTION_SECRET __attribute__((section(".secret")))

/* The chip's key, which outlives a session: cleared before states 8, 9 and 10 only. */
#define SECTION_CHIP_KEY __attribute__((section(".chip_key")))

#endif
