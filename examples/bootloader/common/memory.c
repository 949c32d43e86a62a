/* The three functions GCC may call on its own even in a freestanding program. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *left, const void *right, size_t size);

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    uint8_t *out = to;
    const uint8_t *in = from;
    while (size--) *out++ = *in++;
    return to;
}

void *memset(void *to, int value, size_t size) {
    uint8_t *out = to;
    while (size--) *out++ = (uint8_t)value;
    return to;
}

int memcmp(const void *left, const void *right, size_t size) {
    const uint8_t *a = left, *b = right;
    for (; size; size--, a++, b++) {
        if (*a != *b) return *a - *b;
    }
    return 0;
}
