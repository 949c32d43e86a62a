/*
 * Writing the journal (journal.h). Needs the flash engine begun; waits for it, and fails as
 * flash_wait() does, or with ERROR_FLASH_ERROR when flash does not hold what was written.
 */
#ifndef BF_JOURNAL_WRITE_H
#define BF_JOURNAL_WRITE_H

#include <stdint.h>

#include "journal.h"

/* What the newest record says; before there is one: the product, no version, all keys taken. */
typedef struct {
  uint32_t version;
  uint32_t floor;
  uint32_t mask;
  const journal_record *complete; /* of the image that is complete now, or NULL */
} journal_facts;

/* Reads the facts anew. */
journal_facts journal_read(void);

/* An image is about to be replaced. */
void journal_begin(void);

/* It is complete: `root` with its ranges, `bytes` of it (journal_root_bytes()), on 4 bytes. */
void journal_complete(uint32_t version, uint32_t floor, uint32_t *root, uint32_t bytes);

/* An image was completed since the start. */
bool journal_has_completed(void);

/* The vendor keys of `bits` are taken no more. */
void journal_clear_keys(uint32_t bits);

/*
 * The device's secret key is about to be used; and: that session had an orderly end, `end` being
 * USE_ORDERLY or USE_OFFLINE.
 */
void journal_begin_use(void);
void journal_end_use(uint32_t end);

/* Uses since the last one with an orderly end, up to a limit. */
uint32_t journal_broken_uses(void);

/*
 * An update file is about to be opened. `id` is the beginning of its ephemeral key. Fails when it
 * was opened sixteen times.
 */
void journal_begin_try(const uint8_t id[FILE_ID]);

#endif
