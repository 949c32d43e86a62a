/* The operator's manual, packed at build time from manual.txt. */
#ifndef MANUAL_H
#define MANUAL_H

#include <stdbool.h>
#include <stdint.h>

extern const uint8_t manual_packed[];
extern const uint32_t manual_packed_size, manual_size, manual_crc32;

/* Unpacks the manual into RAM and compares its CRC-32; must come before manual_print. */
bool manual_unpack(void);

/* Prints the unpacked manual. */
void manual_print(void);

#endif
