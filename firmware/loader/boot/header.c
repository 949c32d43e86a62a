/* The loader's header at LOADER_HEADER: what a tool reads of the binary. */
#include <stdint.h>

#include "flash_map.h"

#define HEADER_MAGIC 0x484C4642u /* "BFLH" */

extern const uint8_t loader_length[]; /* the linker's number, not an address */

typedef struct {
  uint32_t magic;
  uint32_t version;
  const uint8_t *length; /* of code and constants, bytes: what the loader hash is of */
  uint32_t config;
} loader_header;

extern const loader_header header;
__attribute__((section(".header"), used))
const loader_header header = {HEADER_MAGIC, PROGRAM_VERSION, loader_length, LOADER_CONFIG};
