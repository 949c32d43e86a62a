/* Line commands over the console; bytes arrive by interrupt, lines are obeyed from the main loop. */
#ifndef SHELL_H
#define SHELL_H

void shell_start(void);

/* Obeys a complete line if one has arrived. */
void shell_poll(void);

#endif
