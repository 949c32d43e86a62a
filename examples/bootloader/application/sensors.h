/* Sensor readings to temperatures, in thousandths of a degree Celsius. */
#ifndef SENSORS_H
#define SENSORS_H

#include <stdint.h>

/* Inputs outside a table give the value at its nearest end. */
int32_t pt100_millidegree(uint32_t centiohm);
int32_t type_k_millidegree(uint32_t microvolt);
int32_t ntc_millidegree(uint32_t reading);

/* Prints each sensor at a few known points beside the expected temperature; returns how many were off by
 * more than 60 thousandths. */
unsigned sensors_self_test(void);

#endif
