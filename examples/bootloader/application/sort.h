/* Heap sort of words, rising, in place. */
#ifndef SORT_H
#define SORT_H

#include <stddef.h>
#include <stdint.h>

void sort_words(uint32_t *words, size_t count);

#endif
