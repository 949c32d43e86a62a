/* The config in flash: see config.h. */
#include "config.h"

#include <stddef.h>

#include "crc32.h"

#define AT(field, name) (offsetof(config, field) == CONFIG_AT_##name)

_Static_assert(sizeof(config) == CONFIG_SIZE && AT(product, PRODUCT) && AT(flags, FLAGS) &&
                   AT(uart, UART) && AT(tx_pin, TX_PIN) && AT(rx_pin, RX_PIN) &&
                   AT(baud_most, BAUD_MOST) && AT(listen_ms, LISTEN_MS) &&
                   AT(strap_pin, STRAP_PIN) && AT(strap_level, STRAP_LEVEL) &&
                   AT(rtc_register, RTC_REGISTER) && AT(rtc_value, RTC_VALUE) &&
                   AT(keys, KEYS) && AT(crc, CRC),
               "the config as config_layout.h has it");

bool config_good(const config *c) {
  crc32_begin();
  uint32_t crc = crc32_add((const uint8_t *)c, sizeof *c / 4 - 1);
  return c->magic == CONFIG_MAGIC && c->version == CONFIG_VERSION && c->crc == crc;
}
