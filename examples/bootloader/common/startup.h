/* What an image provides to, and may use from, the shared start-up code. */
#ifndef STARTUP_H
#define STARTUP_H

/* Each image's entry; must not return. */
_Noreturn void main(void);

/* First instruction after reset: fills .data, clears .bss, sets VTOR, enters main. */
_Noreturn void reset_handler(void);

/* An image defines those it uses; the others report themselves as unexpected. */
void systick_handler(void);
void usart1_handler(void);

#endif
