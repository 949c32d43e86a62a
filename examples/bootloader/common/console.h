/* USART1 on PA9 (TX) and PA10 (RX), 115200 baud, 8 data bits, no parity, 1 stop bit. Output is polled. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdbool.h>

void console_start(void);

/* Sends one byte; waits while the transmitter is full. */
void console_put(char c);

/* Takes a received byte if there is one. */
bool console_poll(char *c);

/* Waits until the last stop bit has left the pin. */
void console_drain(void);

/* Lets received bytes raise USART1's interrupt (the image then defines usart1_handler). */
void console_enable_receive_interrupt(void);

#endif
