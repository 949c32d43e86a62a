/* Unpacking of texts packed by tools/pack-text.mjs.
 *
 * Groups of up to eight items behind a flag byte, lowest bit first. Flag 0: one literal byte. Flag 1: two bytes,
 * little endian, distance - 1 in bits 11:0 and length - 3 in bits 15:12, copied from what was already written. */
#ifndef LZ_H
#define LZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns the number of bytes written, or 0 if the input is damaged or `capacity` too small. */
size_t lz_unpack(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t capacity);

#endif
