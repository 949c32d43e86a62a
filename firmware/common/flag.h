/* A truth value as wide as a register. */
#ifndef BF_FLAG_H
#define BF_FLAG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * true or false. Functions return bool; a variable, or a result that is mostly handed on, is a flag
 * where the image is shorter for it: the core reaches words with short instructions four times as
 * far as bytes, and need not narrow them.
 */
typedef uint32_t flag;

#endif
