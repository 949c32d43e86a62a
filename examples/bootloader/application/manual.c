/* Unpacking and printing the manual. */
#include "manual.h"
#include "crc32.h"
#include "lz.h"
#include "print.h"

#define CAPACITY 16384

static uint8_t text[CAPACITY];

bool manual_unpack(void) {
    return lz_unpack(manual_packed, manual_packed_size, text, CAPACITY) == manual_size &&
           crc32(text, manual_size) == manual_crc32;
}

void manual_print(void) {
    for (uint32_t i = 0; i < manual_size; i++) {
        if (text[i] == '\n') print("\r");
        print("%c", text[i]);
    }
}
