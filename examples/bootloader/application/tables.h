/* Constant tables, generated from their formulas by tools/tables.mjs. */
#ifndef TABLES_H
#define TABLES_H

#include <stdint.h>

/* One full sine period, Q15. */
#define SINE_STEPS 2048
extern const int16_t sine_q15[SINE_STEPS];

/* Pt100 resistance in hundredths of an ohm, one entry per degree from -200 °C to 850 °C (IEC 60751). */
#define PT100_FIRST_DEGREE (-200)
#define PT100_ENTRIES 1051
extern const uint16_t pt100_centiohm[PT100_ENTRIES];

/* Type K thermocouple voltage in microvolts, one entry per degree from 0 °C to 1372 °C (ITS-90). */
#define TYPE_K_FIRST_DEGREE 0
#define TYPE_K_ENTRIES 1373
extern const uint16_t type_k_microvolt[TYPE_K_ENTRIES];

/* 12-bit reading of a divider (10 kΩ to the supply, NTC 10 kΩ B3950 to ground) to hundredths of a degree. */
#define NTC_ENTRIES 4096
extern const int16_t ntc_centidegree[NTC_ENTRIES];

#endif
