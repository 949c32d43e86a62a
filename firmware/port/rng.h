/*
 * Random bytes for the handshake (docs/protocol.md section 4): the chip's generator, tested,
 * conditioned, mixed.
 */
#ifndef BF_RNG_H
#define BF_RNG_H

#include <stdint.h>

/*
 * Turns the generator on and runs the start-up test. Returns 0, or what failed: RNG_SR or a
 * RANDOM_TEST_ code.
 */
uint32_t rng_start(void);

/*
 * Seeds the output state from fresh words of the generator, the controller's host entropy (32
 * bytes), the chip's UID and the cycle counter. Returns 0, or what failed; nothing may be drawn
 * then.
 */
uint32_t rng_seed(const uint8_t host_entropy[32]);

/* Draws 32 bytes; the state that made them is gone afterwards. */
void rng_draw(uint8_t out[32]);

#endif
