/* Heap sort: no recursion, no second buffer, same time for any input. */
#include "sort.h"

static void swap(uint32_t *a, uint32_t *b) {
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_down(uint32_t *words, size_t root, size_t count) {
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count) return;
        if (child + 1 < count && words[child + 1] > words[child]) child++;
        if (words[root] >= words[child]) return;
        swap(&words[root], &words[child]);
        root = child;
    }
}

void sort_words(uint32_t *words, size_t count) {
    for (size_t root = count / 2; root-- > 0;) sift_down(words, root, count);
    for (size_t end = count; end-- > 1;) {
        swap(&words[0], &words[end]);
        sift_down(words, 0, end);
    }
}
