/*
 * Random generator (RM0090 section 24.3; tests after SP 800-90B section 4.4; output by hashing with
 * fast key erasure).
 *
 * Start-up discards the first word after enabling. Every later word is compared with the one before
 * (repetition), and its low byte takes part in the adaptive proportion test. Any error flag ends
 * the collection; one restart is tried, then it is a failure.
 */
#include "rng.h"
#include "domain.h"

#include "chip.h"
#include "protocol.h"
#include "registers.h"
#include "section.h"
#include "sha512.h"
#include "util.h"

#define START_WORDS 1024u /* of the start-up test */
#define SEED_WORDS 512u   /* of each seed */
#define WINDOW 512u       /* words of the proportion test */
/* Matches in a window, for 4 bits of entropy in a byte and a false alarm in 2^30. */
#define CUTOFF 70u
#define WORD_TURNS 20000u /* most turns of the loop that waits for a word */

static SECTION_SECRET uint8_t state[64];  /* what the next output is made of */
static SECTION_SECRET uint32_t previous;  /* word */
static SECTION_SECRET uint32_t sample;    /* low byte of the first word of the window */
static SECTION_SECRET uint32_t matches;   /* later words of the window with that low byte */
static SECTION_SECRET uint32_t in_window; /* words so far */

/* Waits for a word. Returns 0, or what failed. */
static uint32_t next_word(uint32_t *word) {
  for (uint32_t left = WORD_TURNS; left > 0; left--) {
    uint32_t sr = RNG_SR;
    if (sr & RNG_SR_ERRORS) return sr;
    if (sr & RNG_SR_DRDY) {
      *word = RNG_DR;
      return 0;
    }
  }
  return RANDOM_TEST_TIMEOUT;
}

/* Adaptive proportion test of the low byte. */
static uint32_t test_proportion(uint32_t word) {
  uint32_t low = word & 0xFFu;
  if (in_window == 0) {
    sample = low;
    matches = 0;
  } else if (low == sample) {
    matches++;
  }
  in_window = (in_window + 1) % WINDOW;
  return matches >= CUTOFF ? RANDOM_TEST_PROPORTION : 0;
}

static uint32_t tested_word(uint32_t *word) {
  uint32_t failed = next_word(word);
  if (failed) return failed;
  if (*word == previous) return RANDOM_TEST_REPETITION;
  previous = *word;
  return test_proportion(*word);
}

/* Clears the error flags, switches off and on, and discards the first word. */
static uint32_t restart(void) {
  RNG_CR = 0;
  RNG_SR = 0;
  RNG_CR = RNG_CR_RNGEN;
  in_window = 0;
  return next_word(&previous);
}

static uint32_t collect_once(bf_sha512 *into, uint32_t words) {
  uint32_t word, failed = 0;
  for (; words > 0 && !failed; words--) {
    failed = tested_word(&word);
    bf_sha512_update(into, (const uint8_t *)&word, sizeof word);
  }
  return failed;
}

/* Hashes `words` tested words, after a restart if need be. Returns 0, or what failed. */
static uint32_t collect(bf_sha512 *into, uint32_t words) {
  uint32_t failed = collect_once(into, words);
  if (failed)
    failed = restart();
  else
    return 0;
  return failed ? failed : collect_once(into, words);
}

uint32_t rng_start(void) {
  bf_sha512 discard;
  RCC_AHB2ENR |= RCC_AHB2ENR_RNG;
  (void)RCC_AHB2ENR;
  uint32_t failed = restart();
  if (failed) failed = restart();
  if (failed) return failed;
  bf_sha512_init(&discard);
  failed = collect(&discard, START_WORDS);
  bf_wipe(&discard, sizeof discard);
  return failed;
}

uint32_t rng_seed(const uint8_t host_entropy[32]) {
  bf_sha512 s;
  uint32_t cycles = DWT_CYCCNT;
  domain_begin(&s, "stub random", 12);
  uint32_t failed = collect(&s, SEED_WORDS);
  if (failed) return failed;
  bf_sha512_update(&s, host_entropy, 32);
  bf_sha512_update(&s, UID_BYTES, CHIP_UID_SIZE);
  bf_sha512_update(&s, (const uint8_t *)&cycles, sizeof cycles);
  bf_sha512_final(&s, state);
  return 0;
}

/* to = SHA-512(which || state). */
static void step(uint8_t to[64], uint8_t which) {
  bf_sha512 s;
  bf_sha512_init(&s);
  bf_sha512_update(&s, &which, 1);
  bf_sha512_update(&s, state, sizeof state);
  bf_sha512_final(&s, to);
}

void rng_draw(uint8_t out[32]) {
  uint8_t block[64];
  step(block, 1);
  step(state, 0);
  bf_copy(out, block, 32);
  bf_wipe(block, sizeof block);
}
