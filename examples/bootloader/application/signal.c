/* Fixed-point signal processing: Q15 samples, Q14 filter coefficient, 64-bit accumulators. */
#include "signal.h"
#include "tables.h"

static int16_t samples[SIGNAL_SAMPLES];

void signal_generate(uint32_t cycles, int32_t amplitude) {
    uint32_t step = cycles * (SINE_STEPS / SIGNAL_SAMPLES);
    for (uint32_t i = 0; i < SIGNAL_SAMPLES; i++) {
        samples[i] = (int16_t)(amplitude * sine_q15[i * step % SINE_STEPS] / 32768);
    }
}

/* Largest root not above the square root, one result bit per round. */
static uint32_t integer_root(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint32_t)root;
}

uint32_t signal_rms(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < SIGNAL_SAMPLES; i++) sum += (uint64_t)((int32_t)samples[i] * samples[i]);
    return integer_root(sum / SIGNAL_SAMPLES);
}

static int32_t cosine_q15(uint32_t cycles) {
    return sine_q15[(cycles * (SINE_STEPS / SIGNAL_SAMPLES) + SINE_STEPS / 4) % SINE_STEPS];
}

uint32_t signal_component(uint32_t cycles) {
    int64_t coefficient = cosine_q15(cycles); /* 2·cos in Q14 */
    int64_t previous = 0, before = 0;
    for (uint32_t i = 0; i < SIGNAL_SAMPLES; i++) {
        int64_t next = samples[i] + (coefficient * previous >> 14) - before;
        before = previous;
        previous = next;
    }
    int64_t power = previous * previous + before * before - (coefficient * previous >> 14) * before;
    return power < 0 ? 0 : integer_root((uint64_t)power) / (SIGNAL_SAMPLES / 2);
}
