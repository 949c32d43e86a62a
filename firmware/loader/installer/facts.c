/* What the installer knows: see facts.h. */
#include "facts.h"

#include "chip.h"
#include "flash_map.h"
#include "journal_write.h"
#include "section.h"
#include "serial.h"
#include "sha512.h"
#include "slots.h"
#include "util.h"

#if defined STUB_TARGET_stm32f4
#define UARTS 6u
#else
#define UARTS 8u
#endif
#define HEADER_LENGTH 8u /* offset of the length in the loader's header */

static SECTION_LARGE config settings;
static SECTION_LARGE uint8_t loader_hash[64];
static SECTION_LARGE uint8_t ident[IDENT_SIZE]; /* all that does not change by itself */
static handover start;

static void store_le16(uint8_t *to, uint32_t value) {
  to[0] = (uint8_t)value;
  to[1] = (uint8_t)(value >> 8);
}

static void write_chip(uint8_t *to) {
  to[IDENT_AT_FORMAT] = IDENT_FORMAT;
  store_le16(to + IDENT_AT_VERSION, PROGRAM_VERSION);
  bf_store_le32(to + IDENT_AT_PRODUCT, settings.product);
  bf_copy(to + IDENT_AT_LOADER_HASH, loader_hash, sizeof loader_hash);
  bf_copy(to + IDENT_AT_UID, chip_uid(), CHIP_UID_SIZE);
  bf_store_le32(to + IDENT_AT_OPTCR, chip_optcr());
  bf_store_le32(to + IDENT_AT_OPTCR1, chip_optcr1());
  store_le16(to + IDENT_AT_DEV_ID, chip_dev_id());
  store_le16(to + IDENT_AT_FLASH_KI_B, chip_flash_kib());
  bf_store_le32(to + IDENT_AT_MOST_BAUD, settings.baud_most);
}

bool facts_start(const handover *found) {
  uint32_t length = *(const uint32_t *)(LOADER_HEADER + HEADER_LENGTH);
  if (length > LOADER_CONFIG - LOADER_START) length = LOADER_CONFIG - LOADER_START;
  start = *found;
  bf_copy((uint8_t *)&settings, (const uint8_t *)config_in_flash(), sizeof settings);
  bf_sha512_once(loader_hash, (const uint8_t *)LOADER_START, length);
  write_chip(ident);
  return config_good(&settings) && settings.uart >= 1 && settings.uart <= UARTS;
}

void facts_refresh(void) {
  journal_facts facts = journal_read();
  bool image = facts.complete != 0;
  uint32_t flags = (chip_is_level1(chip_optcr()) ? IDENT_FLAG_LOCKED : 0) |
                   (start.reason == ENTRY_NO_IMAGE ? IDENT_FLAG_FALLBACK : 0) |
                   (image ? IDENT_FLAG_IMAGE : 0) | (slots_keys() != 0 ? IDENT_FLAG_KEYS : 0);
  store_le16(ident + IDENT_AT_FLAGS, flags);
  ident[IDENT_AT_FREE_KEY_SLOTS] = (uint8_t)slots_free();
  bf_store_le32(ident + IDENT_AT_IMAGE_VERSION, image ? facts.version : 0);
  bf_store_le32(ident + IDENT_AT_FLOOR, facts.floor);
}

const handover *facts_handover(void) {
  return &start;
}

const config *facts_config(void) {
  return &settings;
}

const uint8_t *facts_loader_hash(void) {
  return loader_hash;
}

bool facts_image_complete(void) {
  return (ident[IDENT_AT_FLAGS] & IDENT_FLAG_IMAGE) != 0;
}

void facts_write_ident(uint8_t *to, session_state state, uint32_t receive_slots) {
  bf_copy(to, ident, sizeof ident);
  to[IDENT_AT_STATE] = (uint8_t)state;
  to[IDENT_AT_RECEIVE_SLOTS] = (uint8_t)receive_slots;
}
