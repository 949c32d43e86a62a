/* A test tone, its effective value and its spectrum: the fixed-point part of the self test. */
#ifndef SIGNAL_H
#define SIGNAL_H

#include <stdint.h>

#define SIGNAL_SAMPLES 1024

/* Fills the sample buffer with `amplitude`·sin at `cycles` whole periods per buffer. */
void signal_generate(uint32_t cycles, int32_t amplitude);

/* Root of the mean square of the buffer. */
uint32_t signal_rms(void);

/* Strength of the component with `cycles` periods per buffer (Goertzel), scaled to the tone's amplitude. */
uint32_t signal_component(uint32_t cycles);

#endif
