/* Checks an application before it is started; the header's layout is described in image.h. */
#include "image.h"
#include "crc32.h"
#include "stm32f427.h"

#include <stdbool.h>
#include <stddef.h>

static const char *const verdict_texts[IMAGE_VERDICTS] = {
    [IMAGE_VALID] = "valid",
    [IMAGE_ERASED] = "none: the sector is erased",
    [IMAGE_NO_MAGIC] = "none: no header found",
    [IMAGE_HEADER_DAMAGED] = "refused: the header's CRC-32 does not match",
    [IMAGE_OTHER_FORMAT] = "refused: header of an unknown format",
    [IMAGE_MISPLACED] = "refused: linked for another address",
    [IMAGE_BAD_LENGTH] = "refused: the length does not fit the flash",
    [IMAGE_BODY_DAMAGED] = "refused: the body's CRC-32 does not match",
    [IMAGE_BAD_STACK] = "refused: the initial stack pointer is not in SRAM",
    [IMAGE_BAD_ENTRY] = "refused: the reset vector is not inside the body",
};

const char *image_verdict_text(enum image_verdict verdict) { return verdict_texts[verdict]; }

static bool header_intact(const struct image_header *header) {
    return crc32(header, offsetof(struct image_header, header_crc32)) == header->header_crc32;
}

static bool length_fits(const struct image_header *header) {
    return header->body_length >= 8 && header->body_length <= APPLICATION_END - header->body_address;
}

static bool stack_in_sram(uint32_t sp) { return sp > SRAM_START && sp <= SRAM_END && sp % 8 == 0; }

static bool entry_in_body(const struct image_header *header, uint32_t entry) {
    return entry % 2 == 1 && entry - header->body_address < header->body_length;
}

enum image_verdict image_check(const struct image_header *header) {
    const uint32_t *body = (const uint32_t *)((uintptr_t)header + IMAGE_HEADER_SIZE);
    if (header->magic == UINT32_MAX) return IMAGE_ERASED;
    if (header->magic != IMAGE_MAGIC) return IMAGE_NO_MAGIC;
    if (!header_intact(header)) return IMAGE_HEADER_DAMAGED;
    if (header->format != IMAGE_FORMAT || header->header_size != IMAGE_HEADER_SIZE) return IMAGE_OTHER_FORMAT;
    if (header->body_address != (uintptr_t)body) return IMAGE_MISPLACED;
    if (!length_fits(header)) return IMAGE_BAD_LENGTH;
    if (crc32(body, header->body_length) != header->body_crc32) return IMAGE_BODY_DAMAGED;
    if (!stack_in_sram(body[0])) return IMAGE_BAD_STACK;
    if (!entry_in_body(header, body[1])) return IMAGE_BAD_ENTRY;
    return IMAGE_VALID;
}
