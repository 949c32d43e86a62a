/*
 * The loader's config: public facts of one product, written by `blindflash loader make` at
 * LOADER_CONFIG (docs/loader.md, "Config"). All numbers little-endian.
 */
#ifndef BF_CONFIG_H
#define BF_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config_layout.h"

typedef struct {
  uint8_t key[32];
  uint32_t roles; /* 0: there is no such key */
} config_key;

typedef struct {
  uint32_t magic;
  uint32_t version;
  uint32_t product;
  uint32_t flags;
  uint8_t uart;   /* number, 1..8 */
  uint8_t tx_pin; /* port * 16 + pin */
  uint8_t rx_pin;
  uint8_t zero0;
  uint32_t baud_most;
  uint16_t listen_ms; /* at every start; 0: not */
  uint8_t strap_pin;  /* port * 16 + pin, or CONFIG_NONE */
  uint8_t strap_level;
  uint8_t rtc_register; /* RTC_BKPxR, or CONFIG_NONE */
  uint8_t zero1[3];
  uint32_t rtc_value;
  uint32_t zero2[7];
  config_key keys[CONFIG_KEYS];
  uint32_t zero3[75];
  uint32_t crc; /* CRC-32 of all before */
} config;

/* The config as it lies in flash; of use only when config_good() says so. */
static inline const config *config_in_flash(void) {
  return (const config *)LOADER_CONFIG;
}

/* True when a config has its magic word, this version and its checksum. */
bool config_good(const config *c);

#endif
