/* The unpacker; format in lz.h. */
#include "lz.h"

#include <stdbool.h>

struct unpacker {
    const uint8_t *in, *in_end;
    uint8_t *start, *out, *out_end;
};

static bool copy_literal(struct unpacker *u) {
    if (u->out == u->out_end) return false;
    *u->out++ = *u->in++;
    return true;
}

static bool copy_match(struct unpacker *u) {
    if (u->in_end - u->in < 2) return false;
    unsigned code = u->in[0] | (unsigned)u->in[1] << 8;
    size_t distance = (code & 0xFFF) + 1, length = (code >> 12) + 3;
    u->in += 2;
    if (distance > (size_t)(u->out - u->start) || length > (size_t)(u->out_end - u->out)) return false;
    for (; length; length--, u->out++) *u->out = u->out[-(ptrdiff_t)distance];
    return true;
}

static bool unpack_group(struct unpacker *u) {
    unsigned flags = *u->in++;
    for (unsigned i = 0; i < 8 && u->in < u->in_end; i++, flags >>= 1) {
        if (!(flags & 1 ? copy_match(u) : copy_literal(u))) return false;
    }
    return true;
}

size_t lz_unpack(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t capacity) {
    struct unpacker u = {packed, packed + packed_size, out, out, out + capacity};
    while (u.in < u.in_end) {
        if (!unpack_group(&u)) return 0;
    }
    return (size_t)(u.out - u.start);
}
