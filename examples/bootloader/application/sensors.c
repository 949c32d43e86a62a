/* Linearisation by table and straight line between neighbours. */
#include "sensors.h"
#include "print.h"
#include "tables.h"

#define TOLERANCE_MILLIDEGREE 60

/* Index of the last entry not above `value`, in a rising table; 0 when all are above. */
static unsigned find_entry(const uint16_t *table, unsigned entries, uint32_t value) {
    unsigned low = 0, high = entries;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (table[middle] <= value) low = middle;
        else high = middle;
    }
    return low;
}

static int32_t linearise(const uint16_t *table, unsigned entries, int32_t first_degree, uint32_t value) {
    if (value <= table[0]) return first_degree * 1000;
    if (value >= table[entries - 1]) return (first_degree + (int32_t)entries - 1) * 1000;
    unsigned i = find_entry(table, entries, value);
    uint32_t step = (uint32_t)table[i + 1] - table[i];
    return (first_degree + (int32_t)i) * 1000 + (int32_t)((value - table[i]) * 1000 / step);
}

int32_t pt100_millidegree(uint32_t centiohm) {
    return linearise(pt100_centiohm, PT100_ENTRIES, PT100_FIRST_DEGREE, centiohm);
}

int32_t type_k_millidegree(uint32_t microvolt) {
    return linearise(type_k_microvolt, TYPE_K_ENTRIES, TYPE_K_FIRST_DEGREE, microvolt);
}

int32_t ntc_millidegree(uint32_t reading) {
    return ntc_centidegree[reading < NTC_ENTRIES ? reading : NTC_ENTRIES - 1] * 10;
}

struct known_point {
    const char *sensor;
    const char *unit;
    int32_t (*convert)(uint32_t input);
    uint32_t input;
    int32_t expected;
};

/* From the printed standard tables, not from ours. */
static const struct known_point known_points[] = {
    {"Pt100", "x0.01 ohm", pt100_millidegree, 1852, -200000},
    {"Pt100", "x0.01 ohm", pt100_millidegree, 10000, 0},
    {"Pt100", "x0.01 ohm", pt100_millidegree, 13851, 100000},
    {"Pt100", "x0.01 ohm", pt100_millidegree, 39048, 850000},
    {"type K", "uV", type_k_millidegree, 4096, 100000},
    {"type K", "uV", type_k_millidegree, 20644, 500000},
    {"type K", "uV", type_k_millidegree, 41276, 1000000},
    {"NTC", "of 4095", ntc_millidegree, 2048, 24990},
};

static int passes(const struct known_point *point, int32_t got) {
    int32_t error = got - point->expected;
    return error <= TOLERANCE_MILLIDEGREE && error >= -TOLERANCE_MILLIDEGREE;
}

static void print_millidegree(int32_t value) {
    uint32_t size = value < 0 ? (uint32_t)-value : (uint32_t)value;
    print("%s%u.%03u C", value < 0 ? "-" : "", size / 1000, size % 1000);
}

unsigned sensors_self_test(void) {
    unsigned failures = 0;
    for (unsigned i = 0; i < sizeof known_points / sizeof known_points[0]; i++) {
        const struct known_point *point = &known_points[i];
        int32_t got = point->convert(point->input);
        print("  %6s %5u %9s  ", point->sensor, point->input, point->unit);
        print_millidegree(got);
        print(" %s\r\n", passes(point, got) ? "ok" : "WRONG");
        failures += !passes(point, got);
    }
    return failures;
}
