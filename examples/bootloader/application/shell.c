/* The shell: a ring filled by the interrupt, a line editor, a table of commands. */
#include "shell.h"
#include "console.h"
#include "font.h"
#include "loader.h"
#include "manual.h"
#include "print.h"
#include "report.h"
#include "sensors.h"
#include "startup.h"
#include "stm32f427.h"

#include <stdbool.h>

#define RING 64 /* power of two */
#define LINE 40

static volatile char ring[RING];
static volatile uint32_t ring_head; /* written by the interrupt only */
static uint32_t ring_tail;
static char line[LINE];
static unsigned line_length;

/* A full ring drops the newest byte: the operator sees it missing in the echo. */
void usart1_handler(void) {
    char c;
    if (!console_poll(&c)) return;
    if (ring_head - ring_tail == RING) return;
    ring[ring_head % RING] = c;
    ring_head++;
}

static bool take_byte(char *c) {
    if (ring_head == ring_tail) return false;
    *c = ring[ring_tail % RING];
    ring_tail++;
    return true;
}

static void run_banner(void) { banner_print("HELLO, WORLD!"); }
static void run_sensors(void) { (void)sensors_self_test(); }
static void run_reset(void) {
    console_drain();
    SCB_AIRCR = SCB_AIRCR_RESET;
    barrier();
}

struct command {
    const char *name;
    const char *help;
    void (*run)(void);
};

static void run_help(void);

static const struct command commands[] = {
    {"help", "this list", run_help},
    {"manual", "the operator's manual", manual_print},
    {"digest", "SHA-256 of the application", report_digest},
    {"sensors", "linearisation at known points", run_sensors},
    {"signal", "test tone and its spectrum", report_signal},
    {"uptime", "time since start", report_uptime},
    {"quiet", "stop or resume the heartbeat line", report_toggle_heartbeat},
    {"banner", "big letters", run_banner},
    {"reset", "start again from the bootloader", run_reset},
#ifdef BEHIND_LOADER
    {"update", "start the resident loader, for 200 ms unless an agent knocks", loader_enter},
#endif
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static void run_help(void) {
    for (unsigned i = 0; i < COMMANDS; i++) print("  %8s %s\r\n", commands[i].name, commands[i].help);
}

static bool equal(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static void obey_line(void) {
    for (unsigned i = 0; i < COMMANDS; i++) {
        if (equal(line, commands[i].name)) {
            commands[i].run();
            return;
        }
    }
    print("Unknown command '%s'; try help\r\n", line);
}

static void finish_line(void) {
    print("\r\n");
    line[line_length] = 0;
    if (line_length) obey_line();
    line_length = 0;
}

static void edit_line(char c) {
    if (c == '\r') {
        finish_line();
    } else if (c == '\b' && line_length) {
        line_length--;
        print("\b \b");
    } else if (c >= ' ' && line_length < LINE - 1) {
        line[line_length++] = c;
        print("%c", c);
    }
}

void shell_start(void) { console_enable_receive_interrupt(); }

void shell_poll(void) {
    char c;
    while (take_byte(&c)) {
#ifdef BEHIND_LOADER
        if (loader_knocked(c)) loader_enter();
#endif
        edit_line(c);
    }
}
