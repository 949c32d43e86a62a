/*
 * The UART the config names: reception by DMA into a ring, so that nothing is lost while flash is
 * worked on; sending byte by byte when there is room.
 */
#ifndef BF_UART_H
#define BF_UART_H

#include <stdbool.h>
#include <stdint.h>

/* Sets pins, clocks and DMA as the config says; the bit time is uart_set_bit()'s. */
void uart_start(void);

/* The bit time from a measurement: core cycles of LINE_BITS bits; what came before is dropped. */
void uart_set_bit(uint32_t cycles);

/* True when the UART makes such a bit time within 2 %. */
bool uart_can_make(uint32_t cycles);

/* True when anything has come since it was asked last, good or bad: somebody may be sending. */
bool uart_heard(void);

/* True when there is something to take. */
bool uart_waiting(void);

/* A register that changes with every byte that comes. */
const volatile uint32_t *uart_counter(void);

/* The next byte that was received, or -1. */
int32_t uart_take(void);

/* Sends a byte if there is room for one. */
bool uart_put(uint8_t byte);

/* The last byte is out. */
bool uart_sent(void);

/* Everything as after reset. */
void uart_stop(void);

#endif
