/* The bootloader: say who we are, look for an application, start it; without one, wait and say so. */
#include "console.h"
#include "identity.h"
#include "image.h"
#include "launch.h"
#include "led.h"
#include "loader.h"
#include "print.h"
#include "startup.h"
#include "stm32f427.h"
#include "tick.h"

#include <stdbool.h>

#define STAY_KEY 'm' /* sent while the greeting is printed: stay in the monitor */

/* Short flash, long pause: tells "no application" from a running one across a room. */
static struct {
    bool on;
    uint32_t on_millis;
    uint32_t period_millis;
    uint32_t period_started;
    uint32_t seconds;
} blinker = {.on_millis = 100, .period_millis = 1000};

static const struct image_header *application(void) { return (const struct image_header *)APPLICATION_START; }

static enum image_verdict describe_application(void) {
    enum image_verdict verdict = image_check(application());
    print("Application at 0x%08x: %s\r\n", APPLICATION_START, image_verdict_text(verdict));
    if (verdict == IMAGE_VALID) {
        const struct image_header *header = application();
        uint32_t version = header->version;
        print("  %s %u.%u.%u, %u bytes, CRC-32 %08x\r\n", header->name, version >> 16, version >> 8 & 0xFF,
              version & 0xFF, header->body_length, header->body_crc32);
    }
    return verdict;
}

static void launch_if_valid(uint32_t reset_flags) {
    if (describe_application() != IMAGE_VALID) return;
    print("Starting it\r\n\r\n");
    launch(application(), reset_flags);
}

static bool asked_to_stay(void) {
    char key;
    return console_poll(&key) && key == STAY_KEY;
}

static void print_monitor_help(void) {
    print("Monitor keys: i identity, v verify the application, b boot it, r reset, ? this help\r\n");
}

static void obey_key(char key, uint32_t reset_flags) {
    switch (key) {
    case 'i': identity_print(); break;
    case 'v': (void)describe_application(); break;
    case 'b': launch_if_valid(reset_flags); break;
    case 'r':
        console_drain();
        SCB_AIRCR = SCB_AIRCR_RESET;
        barrier();
        break;
#ifdef BEHIND_LOADER
    case 'u': loader_enter();
#endif
    default: print_monitor_help(); break;
    }
}

static void update_led(uint32_t elapsed) {
    bool on = elapsed < blinker.on_millis;
    if (on != blinker.on) led_set(on);
    blinker.on = on;
}

static void blink(void) {
    uint32_t elapsed = tick_since(blinker.period_started);
    update_led(elapsed);
    if (elapsed < blinker.period_millis) return;
    blinker.period_started += blinker.period_millis;
    print("Waiting for an application, %u s\r\n", ++blinker.seconds);
}

static _Noreturn void monitor(uint32_t reset_flags) {
    char key;
    print_monitor_help();
    blinker.period_started = tick_now();
    for (;;) {
        wait_for_interrupt();
        blink();
        if (console_poll(&key)) obey_key(key, reset_flags);
    }
}

_Noreturn void main(void) {
    uint32_t reset_flags = reset_flags_take();
    tick_start();
    led_start();
    console_start();
    print("\r\nExample bootloader 1.0 (STM32F427)\r\n");
    identity_print();
    reset_flags_print(reset_flags);
    if (!asked_to_stay()) launch_if_valid(reset_flags);
    monitor(reset_flags);
}
