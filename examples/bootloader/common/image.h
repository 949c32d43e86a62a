/* The header in front of an application, and how the bootloader checks it.
 *
 *   0x08020000  struct image_header, padded with 0xFF to IMAGE_HEADER_SIZE
 *   0x08020200  body: vector table (512-byte aligned, as VTOR wants), code, constants, initial .data
 *
 * All integers little endian. tools/seal.mjs fills the fields marked (sealed). */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC UINT32_C(0x50414642) /* "BFAP" in memory order */
#define IMAGE_FORMAT 1
#define IMAGE_HEADER_SIZE 0x200

struct image_header {
    uint32_t magic;
    uint16_t format;
    uint16_t header_size;
    uint32_t body_length;   /* bytes (sealed) */
    uint32_t body_crc32;    /* (sealed) */
    uint32_t body_address;  /* where the vector table must lie */
    uint32_t version;       /* major << 16 | minor << 8 | patch */
    char name[32];          /* zero terminated */
    uint32_t header_crc32;  /* over everything above (sealed) */
};

enum image_verdict {
    IMAGE_VALID,
    IMAGE_ERASED,
    IMAGE_NO_MAGIC,
    IMAGE_HEADER_DAMAGED,
    IMAGE_OTHER_FORMAT,
    IMAGE_MISPLACED,
    IMAGE_BAD_LENGTH,
    IMAGE_BODY_DAMAGED,
    IMAGE_BAD_STACK,
    IMAGE_BAD_ENTRY,
    IMAGE_VERDICTS,
};

/* Checks the header, the body's CRC-32, and that its first two vectors make sense; touches only flash. */
enum image_verdict image_check(const struct image_header *header);

/* One sentence for a person. */
const char *image_verdict_text(enum image_verdict verdict);

#endif
