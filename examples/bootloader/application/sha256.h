/* SHA-256 (FIPS 180-4) of one contiguous message. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256(const void *message, size_t size, uint8_t digest[32]);

#endif
