/* Identity and reset cause. RM0090, "Device electronic signature", DBGMCU_IDCODE, RCC_CSR. */
#include "identity.h"
#include "print.h"
#include "stm32f427.h"

struct reset_cause {
    uint8_t bit;
    const char *text;
};

static const struct reset_cause reset_causes[] = {
    {31, "low-power"}, {30, "window watchdog"}, {29, "independent watchdog"}, {28, "software"},
    {27, "power-on"},  {26, "pin"},             {25, "brown-out"},
};

/* BENCH_WITHOUT_SIGNATURE serves emulators of sibling chips that do not map the signature area. */
void identity_print(void) {
#ifndef BENCH_WITHOUT_SIGNATURE
    uint32_t idcode = DBGMCU_IDCODE;
    print("Device   0x%03x revision 0x%04x, %u KiB flash\r\n", idcode & 0xFFF, idcode >> 16, (uint32_t)FLASH_SIZE_KIB);
    print("UID      %08x-%08x-%08x\r\n", UID_WORD(0), UID_WORD(1), UID_WORD(2));
#endif
}

uint32_t reset_flags_take(void) {
    uint32_t flags = RCC_CSR;
    RCC_CSR |= RCC_CSR_RMVF;
    return flags;
}

void reset_flags_print(uint32_t flags) {
    print("Reset   ");
    for (unsigned i = 0; i < sizeof reset_causes / sizeof reset_causes[0]; i++) {
        if (flags & BIT(reset_causes[i].bit)) print(" %s", reset_causes[i].text);
    }
    print("\r\n");
}
