/* Self test: a sort, a digest, a checksum, three sensors, a spectrum and an unpacked text, each with a known answer. */
#include "report.h"
#include "crc32.h"
#include "image.h"
#include "led.h"
#include "manual.h"
#include "print.h"
#include "sensors.h"
#include "sha256.h"
#include "signal.h"
#include "sort.h"
#include "stm32f427.h"
#include "tick.h"

#include <stdbool.h>

#define SORTED_WORDS 512
#define SORT_SEED UINT32_C(0x2545F491)
#define TONE_CYCLES 37
#define TONE_AMPLITUDE 16384
#define NEIGHBOURS 3

/* Initialised and changed at run time, so that it lives in .data. */
static struct {
    bool enabled;
    uint32_t period_millis;
    uint32_t last;
} heartbeat = {.enabled = true, .period_millis = 1000};

static uint32_t sorted[SORTED_WORDS];

static const struct image_header *own_header(void) { return (const struct image_header *)APPLICATION_START; }

static uint32_t next_random(uint32_t x) {
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

static uint32_t fill_table(void) {
    uint32_t x = SORT_SEED, sum = 0;
    for (unsigned i = 0; i < SORTED_WORDS; i++) {
        x = next_random(x);
        sorted[i] = x;
        sum += x;
    }
    return sum;
}

static bool table_in_order(uint32_t expected_sum) {
    uint32_t sum = sorted[0];
    for (unsigned i = 1; i < SORTED_WORDS; i++) {
        if (sorted[i - 1] > sorted[i]) return false;
        sum += sorted[i];
    }
    return sum == expected_sum;
}

static bool test_sort(void) {
    uint32_t sum = fill_table();
    sort_words(sorted, SORTED_WORDS);
    print("Sorted %u words: least %08x, median %08x, greatest %08x, CRC-32 %08x\r\n", SORTED_WORDS, sorted[0],
          sorted[SORTED_WORDS / 2], sorted[SORTED_WORDS - 1], crc32(sorted, sizeof sorted));
    return table_in_order(sum);
}

static bool test_own_checksum(void) {
    const struct image_header *header = own_header();
    uint32_t crc = crc32((const void *)header->body_address, header->body_length);
    print("Own body: %u bytes, CRC-32 %08x\r\n", header->body_length, crc);
    return crc == header->body_crc32 && crc32("123456789", 9) == UINT32_C(0xCBF43926);
}

void report_digest(void) {
    uint8_t digest[32];
    sha256((const void *)own_header()->body_address, own_header()->body_length, digest);
    print("SHA-256 ");
    for (unsigned i = 0; i < sizeof digest; i++) print("%02x", digest[i]);
    print("\r\n");
}

static bool test_digest(void) {
    uint8_t digest[32];
    sha256("abc", 3, digest);
    report_digest();
    return digest[0] == 0xBA && digest[1] == 0x78 && digest[30] == 0x15 && digest[31] == 0xAD;
}

static bool test_manual(void) {
    bool good = manual_unpack();
    print("Manual: %u bytes unpacked to %u\r\n", manual_packed_size, manual_size);
    return good;
}

static bool test_sensors(void) {
    print("Sensors\r\n");
    return sensors_self_test() == 0;
}

void report_signal(void) {
    signal_generate(TONE_CYCLES, TONE_AMPLITUDE);
    print("Tone of %u cycles, amplitude %u: effective value %u; spectrum", TONE_CYCLES, TONE_AMPLITUDE, signal_rms());
    for (uint32_t cycles = TONE_CYCLES - NEIGHBOURS; cycles <= TONE_CYCLES + NEIGHBOURS; cycles++) {
        print(" %u", signal_component(cycles));
    }
    print("\r\n");
}

static bool near(uint32_t value, uint32_t expected) { return value - expected + 40 <= 80; }

static bool test_signal(void) {
    report_signal();
    bool tone = near(signal_component(TONE_CYCLES), TONE_AMPLITUDE);
    return tone & near(signal_rms(), 11585);
}

struct part {
    const char *name;
    bool (*test)(void);
};

static const struct part parts[] = {
    {"sort", test_sort},       {"checksum", test_own_checksum}, {"digest", test_digest},
    {"manual", test_manual},   {"sensors", test_sensors},       {"signal", test_signal},
};

void report_self_test(void) {
    unsigned failures = 0;
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].test()) continue;
        print("FAILED: %s\r\n", parts[i].name);
        failures++;
    }
    if (failures) print("Self test: %u parts failed\r\n", failures);
    else print("Self test passed\r\n");
}

void report_uptime(void) {
    uint32_t now = tick_now();
    print("Up %u.%03u s\r\n", now / 1000, now % 1000);
}

void report_heartbeat(void) {
    uint32_t elapsed = tick_since(heartbeat.last);
    led_set(elapsed < heartbeat.period_millis / 2);
    if (elapsed < heartbeat.period_millis) return;
    heartbeat.last += heartbeat.period_millis;
    if (heartbeat.enabled) report_uptime();
}

void report_toggle_heartbeat(void) { heartbeat.enabled = !heartbeat.enabled; }
