/*
 * The plan (docs/protocol.md section 7): parsed from a private copy, every rule checked before
 * anything else happens.
 */
#ifndef BF_PLAN_H
#define BF_PLAN_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "chip.h"
#include "protocol.h"

typedef struct {
  uint32_t address;
  uint32_t length;
  uint32_t use;
} plan_range;

/*
 * The plan as its bytes lie: all fields little-endian, and so is the core. A private copy, on 4
 * bytes.
 */
typedef struct {
  uint32_t magic;
  uint16_t length;
  uint8_t kind;
  uint8_t mode;
  uint8_t id[16];
  uint16_t dev_id;
  uint16_t flash_kib;
  uint32_t idle_ms;
  uint32_t sectors; /* bit n: sector n is to be erased */
  uint32_t boot;    /* address of the boot words or NO_ADDRESS */
  uint8_t psize;
  uint8_t lock;
  uint8_t final;
  uint8_t count; /* of ranges */
  uint8_t label;
  uint8_t flags;
  uint8_t zeros[2];
  uint32_t options[4]; /* option bits to change: not a job of the chip's program */
  plan_range range[];
} plan;

/* Checks all rules for a plan of `length` bytes against the chip; fails when one is broken. */
void plan_check(const plan *p, uint32_t length, const chip_geometry *chip);

/*
 * The range to program that holds [address, address + length), or p->count. No overflow for any
 * input.
 */
uint32_t plan_find_range(const plan *p, uint32_t address, uint32_t length);

/* hash = SHA-512("blindflash/2 plan" || 00 || plan). */
void plan_hash(const plan *p, uint8_t hash[64]);

/* True when [a, a + a_len) and [b, b + b_len) share a byte; neither may wrap. */
bool ranges_overlap(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len);

#endif
