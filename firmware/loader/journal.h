/*
 * The journal (docs/loader.md, "Journal"): what boot and installer know of the past. Two banks of
 * 16 KB in turn; each begins with a record BANK, which is written last when a bank is taken into
 * use, so the good one with the higher sequence is the one in use. Records follow one another in
 * units of 32 bytes. Every record says all of product, version, floor and mask, so the newest good
 * one is enough to know them.
 */
#ifndef BF_JOURNAL_H
#define BF_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

#define JOURNAL_UNIT 32u

/* Kinds of a unit: its first word. */
#define JOURNAL_BANK 0x4B4E4142u     /* "BANK" */
#define JOURNAL_BEGIN 0x4E474542u    /* "BEGN": an image is being replaced */
#define JOURNAL_COMPLETE 0x4C504D43u /* "CMPL": an image is complete; its journal_root follows */
#define JOURNAL_MASK 0x4B53414Du     /* "MASK": vendor keys that are no longer taken */
#define JOURNAL_USES 0x53455355u     /* "USES": seven use words, each by itself */
#define JOURNAL_FILE 0x454C4946u     /* "FILE": tries with an update file */

typedef struct {
  uint32_t kind;
  uint32_t sequence; /* one more than that of the record before */
  uint32_t product;
  uint32_t version; /* of the newest complete image */
  uint32_t floor;   /* the lowest version that is taken */
  uint32_t mask;    /* vendor keys that are no longer taken, a bit each */
  uint32_t length;  /* bytes that follow, on whole units */
  uint32_t crc;     /* CRC-32 of the 28 bytes before and of what follows; programmed last */
} journal_record;

/* What follows a record COMPLETE: root (docs/protocol.md section 8) over `count` ranges. */
typedef struct {
  uint8_t root[64];
  uint32_t count;
  uint32_t zero;
  struct {
    uint32_t address;
    uint32_t length;
  } range[];
} journal_root;

/* Use words: one for each use of the device's secret key. */
#define USE_FREE 0xFFFFFFFFu
#define USE_OPEN 0xFFFF0000u   /* the session runs */
#define USE_BROKEN 0x00FF0000u /* it had no orderly end */
#define USE_ORDERLY 0u         /* the vendor heard its end */
#define USE_OFFLINE 0x000F0000u /* an update file came to its end: forgives none before it */
#define USES_IN_UNIT 7u

/*
 * A unit FILE: which file, by its ephemeral key, for that and no other part of a header decides
 * what is secret in it; then its tries, each of which clears the lowest bit that is set.
 */
#define FILE_ID 24u /* bytes of the ephemeral key */
#define FILE_TRIES 7u /* index of the word */
#define FILE_NO_TRY 0xFFFFFFFFu
#define FILE_LAST_TRY 0x8000u /* clear: there were sixteen */

typedef struct {
  uint32_t bank;                 /* address of the bank in use, or 0: there is none */
  uint32_t end;                  /* address behind its last unit that is not blank */
  const journal_record *newest;  /* or NULL */
  const journal_record *install; /* the newest BEGIN or COMPLETE, or NULL */
  const uint32_t *uses;          /* newest unit of use words, or NULL */
} journal_view;

/* Looks at flash; needs no operation to run there. */
void journal_look(journal_view *view);

/* The newest use word that was begun, or NULL. */
const uint32_t *journal_last_use(const journal_view *view);

/* A record of one of the kinds, whole, with its checksum; `end` is that of its bank. */
bool journal_record_good(const journal_record *record, uint32_t end);

/*
 * True when a use word says that its session may still run: its top byte is not 0. A write that was
 * cut leaves any word; one whose top byte is 0 is closed, and without ORDERLY it counts as broken.
 */
bool journal_use_is_open(uint32_t word);

/* What follows a record COMPLETE. */
const journal_root *journal_root_of(const journal_record *record);

/* Bytes of the root of `count` ranges, on whole units. */
uint32_t journal_root_bytes(uint32_t count);

#endif
