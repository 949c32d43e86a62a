/* The plan (docs/protocol.md section 7): parsed from a private copy, every rule checked before anything else happens. */
#ifndef BF_PLAN_H
#define BF_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "chip.h"

#define PLAN_MAX_BYTES 1536u
#define PLAN_HEAD_BYTES 48u
#define PLAN_MAX_RANGES 64u
#define BOOT_BYTES 64u
#define NO_ADDRESS 0xFFFFFFFFu

enum { KIND_FLASH = 1, KIND_VERIFY, KIND_ERASE, KIND_INFO, KIND_RESET };
enum { USE_PROGRAM = 1, USE_DIGEST };

typedef struct {
  uint32_t address;
  uint32_t length;
  uint32_t use;
} plan_range;

typedef struct {
  const uint8_t *bytes; /* private copy */
  uint32_t length;
  uint32_t kind;
  uint32_t idle_ms;
  uint32_t sectors; /* bit n: sector n is to be erased */
  uint32_t boot;    /* address of the boot words or NO_ADDRESS */
  uint32_t psize;
  uint32_t lock;
  uint32_t ranges;
} plan;

/* Parses `length` bytes and checks all rules against the chip. Returns 0, or 1 with the reason noted. */
int plan_parse(plan *p, const uint8_t *bytes, uint32_t length, const chip_geometry *chip);

/* Range `index` of a parsed plan. */
plan_range plan_range_at(const plan *p, uint32_t index);

/* True when [address, address + length) lies inside one range to program. No overflow for any input. */
int plan_may_program(const plan *p, uint32_t address, uint32_t length);

/* hash = SHA-512("blindflash/1 plan" || 00 || plan). */
void plan_hash(const plan *p, uint8_t hash[64]);

/* True when [a, a + a_len) and [b, b + b_len) share a byte; neither may wrap. */
int spans_meet(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len);

#endif
