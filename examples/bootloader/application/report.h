/* The self test and what it prints. */
#ifndef REPORT_H
#define REPORT_H

/* Runs every part once and prints a verdict. */
void report_self_test(void);

void report_digest(void);
void report_signal(void);
void report_uptime(void);

/* Prints one line per period; call as often as you like. */
void report_heartbeat(void);
void report_toggle_heartbeat(void);

#endif
