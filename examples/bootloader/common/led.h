/* One LED on PB7, lit when high. */
#ifndef LED_H
#define LED_H

#include <stdbool.h>

void led_start(void);
void led_set(bool on);

#endif
