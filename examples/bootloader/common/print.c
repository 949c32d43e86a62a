/* The compact printf. */
#include "print.h"
#include "console.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct field {
    unsigned width;
    bool zeros;
};

static void pad(const struct field *field, unsigned used) {
    for (; used < field->width; used++) console_put(field->zeros ? '0' : ' ');
}

static void put_text(const struct field *field, const char *text) {
    unsigned length = 0;
    while (text[length]) console_put(text[length++]);
    pad(field, length);
}

static void put_number(const struct field *field, uint32_t value, unsigned base, bool negative) {
    static const char digits[] = "0123456789abcdef";
    char reversed[11];
    unsigned count = 0;
    do {
        reversed[count++] = digits[value % base];
        value /= base;
    } while (value);
    if (negative && field->zeros) console_put('-');
    pad(field, count + negative);
    if (negative && !field->zeros) console_put('-');
    while (count) console_put(reversed[--count]);
}

static void put_signed(const struct field *field, int32_t value) {
    put_number(field, value < 0 ? 0 - (uint32_t)value : (uint32_t)value, 10, value < 0);
}

static const char *parse_field(const char *format, struct field *field) {
    field->zeros = *format == '0';
    field->width = 0;
    while (*format >= '0' && *format <= '9') field->width = field->width * 10 + (unsigned)(*format++ - '0');
    return format;
}

void print(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    while (*format) {
        if (*format != '%') {
            console_put(*format++);
            continue;
        }
        struct field field;
        format = parse_field(format + 1, &field);
        switch (*format++) {
        case 'c': console_put((char)va_arg(arguments, int)); break;
        case 's': put_text(&field, va_arg(arguments, const char *)); break;
        case 'd': put_signed(&field, va_arg(arguments, int32_t)); break;
        case 'u': put_number(&field, va_arg(arguments, uint32_t), 10, false); break;
        case 'x': put_number(&field, va_arg(arguments, uint32_t), 16, false); break;
        default: console_put(format[-1]); break;
        }
    }
    va_end(arguments);
}
