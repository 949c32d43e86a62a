/*
 * The CRC peripheral (RM0090 section 4) takes words with their highest bit first; turning words and
 * result around makes it the usual CRC.
 */
#include "crc32.h"

#include "registers.h"
#include "util.h"

static uint32_t reverse(uint32_t word) {
  __asm__("rbit %0, %0" : "+r"(word));
  return word;
}

void crc32_begin(void) {
  CRC_CR = CRC_CR_RESET;
}

uint32_t crc32_add(const uint8_t *data, uint32_t count) {
  for (; count > 0; count--, data += 4) CRC_DR = reverse(bf_load_le32(data));
  return ~reverse(CRC_DR);
}
