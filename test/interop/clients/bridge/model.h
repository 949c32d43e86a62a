// The virtual probe behind its unix socket (sim/edge/usb-socket.ts): one request, one answer.
#ifndef MODEL_H
#define MODEL_H
#include <stdbool.h>
#include <stdint.h>

enum { MODEL_PENDING = -1, MODEL_STALL = -2, MODEL_OVERFLOW = -3, MODEL_LOST = -4 };

// False when nobody listens at `path`.
bool model_connect(const char *path);
// Fills `into` with device descriptor and configuration; their size, at most `room`.
long model_descriptors(uint8_t *into, uint32_t room);
// Answers the control read `setup` (8 bytes): bytes put into `into`, or MODEL_STALL.
long model_control(const uint8_t *setup, uint8_t *into, uint32_t room);
// Bulk OUT: bytes taken.
long model_out(uint8_t endpoint, const uint8_t *bytes, uint32_t length);
// Bulk IN: bytes put into `into`, MODEL_PENDING after a short while without any, or MODEL_OVERFLOW.
long model_in(uint8_t endpoint, uint8_t *into, uint32_t room);
// The host claimed the interface or reset the device.
void model_reset(void);
// The cable was pulled.
void model_unplugged(void);
#endif
