/* CRC-32 of the slots (docs/mailbox.md, "Slots"): reflected 0xEDB88320. Start with CRC32_START, invert the end. */
#ifndef BF_CRC32_H
#define BF_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_START 0xFFFFFFFFu

uint32_t crc32_add(uint32_t crc, const uint8_t *data, size_t length);

#endif
