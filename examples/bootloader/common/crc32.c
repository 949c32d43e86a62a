/* CRC-32, four bytes per step: checking a large application at 16 MHz is part of the start-up time. */
#include "crc32.h"

static uint32_t step_byte(uint32_t crc, uint8_t byte) { return crc >> 8 ^ crc32_tables[0][(crc ^ byte) & 0xFF]; }

static uint32_t step_word(uint32_t crc, uint32_t word) {
    crc ^= word;
    return crc32_tables[3][crc & 0xFF] ^ crc32_tables[2][crc >> 8 & 0xFF] ^ crc32_tables[1][crc >> 16 & 0xFF] ^
           crc32_tables[0][crc >> 24];
}

uint32_t crc32(const void *bytes, size_t size) {
    const uint8_t *in = bytes;
    uint32_t crc = UINT32_MAX;
    for (; size && (uintptr_t)in % 4; size--) crc = step_byte(crc, *in++);
    for (; size >= 4; size -= 4, in += 4) crc = step_word(crc, *(const uint32_t *)(const void *)in);
    while (size--) crc = step_byte(crc, *in++);
    return ~crc;
}
