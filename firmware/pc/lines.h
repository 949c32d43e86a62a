/*
 * One line of the protocol taken apart, and the strings in it.
 *
 * Every string is placed `lines_place` bytes past a 16-byte boundary, so that every misalignment
 * can be tried. Each has its own heap block, so that the address sanitizer sees one byte too many.
 * Whatever is wrong with a request ends the program.
 */
#ifndef BF_LINES_H
#define BF_LINES_H

#include <stddef.h>
#include <stdint.h>

#define MAX_ARGS 80

typedef struct {
  uint8_t *block; /* what malloc gave */
  uint8_t *data;  /* block + lines_place */
  size_t len;
} bytes;

typedef struct {
  int count;
  char *word[MAX_ARGS]; /* the verb, then its arguments */
} request;

/* Where strings made from now on begin, bytes past a 16-byte boundary. */
extern size_t lines_place;

/* Says why on stderr and ends the program. */
void die(const char *why);

/* `len` bytes, not set; drop() gives them back. */
bytes make(size_t len);
void drop(bytes b);

/* The i-th argument as bytes; hex_of: which must be `len` of them; number: as a decimal number. */
bytes hex(const request *r, int i);
bytes hex_of(const request *r, int i, size_t len);
size_t number(const request *r, int i);

/* Prints `len` bytes in hex, or `-` for none. */
void show(const uint8_t *p, size_t len);

/* Prints a string as the whole answer, and drops it. */
void answer(bytes b);

/* The next line of stdin as a request; 0 at the end of input. It is valid until the next call. */
int next_request(request *r);

#endif
