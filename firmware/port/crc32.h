/*
 * CRC-32 as IEEE 802.3 has it (reflected 0xEDB88320, start and final XOR FFFFFFFF), over words, by
 * the chip's hardware.
 */
#ifndef BF_CRC32_H
#define BF_CRC32_H

#include <stdint.h>

/* Begins a checksum. The hardware is there once, so one checksum at a time. */
void crc32_begin(void);

/* Adds `count` words as they lie in memory, any alignment. Returns the checksum so far. */
uint32_t crc32_add(const uint8_t *data, uint32_t count);

#endif
