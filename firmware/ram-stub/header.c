/* The stub header at STUB_HEADER of the image (docs/mailbox.md, "Entry"). */
#include <stddef.h>
#include <stdint.h>

#include "mailbox.h"

extern const uint8_t program_length[]; /* the linker's number, not an address */

typedef struct {
  uint32_t magic;
  uint32_t version;
  const uint8_t *length;
  uint32_t control;
} stub_header;

_Static_assert(offsetof(stub_header, magic) == STUB_HEADER_MAGIC &&
                   offsetof(stub_header, version) == STUB_HEADER_VERSION &&
                   offsetof(stub_header, length) == STUB_HEADER_LENGTH &&
                   offsetof(stub_header, control) == STUB_HEADER_CONTROL,
               "the header as mailbox.h has it");

extern const stub_header header;
__attribute__((section(".header"), used))
const stub_header header = {STUB_MAGIC, PROGRAM_VERSION, program_length, MEM_CONTROL};
