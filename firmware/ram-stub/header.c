/* The stub header at STUB_HEADER of the image (docs/mailbox.md, "Entry"). */
#include <stdint.h>

#include "mailbox.h"

extern const uint8_t program_length[]; /* the linker's number, not an address */

typedef struct {
  uint32_t magic;
  uint32_t version;
  const uint8_t *length;
  uint32_t control;
} stub_header;

extern const stub_header header;
__attribute__((section(".header"), used))
const stub_header header = {STUB_MAGIC, PROGRAM_VERSION, program_length, MEM_CONTROL};
