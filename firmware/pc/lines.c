/* Requests, strings and answers: see lines.h. */
#include "lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t lines_place;

void die(const char *why) {
  fprintf(stderr, "crypto-lines: %s\n", why);
  exit(2);
}

bytes make(size_t len) {
  size_t size = lines_place + len;
  bytes b = {malloc(size > 0 ? size : 1), NULL, len};
  if (b.block == NULL) die("out of memory");
  b.data = b.block + lines_place;
  return b;
}

void drop(bytes b) {
  free(b.block);
}

static uint8_t nibble(char c) {
  if (c >= '0' && c <= '9') return (uint8_t)(c - '0');
  if (c >= 'a' && c <= 'f') return (uint8_t)(c - 'a' + 10);
  die("not hex");
  return 0;
}

static const char *arg(const request *r, int i) {
  if (i >= r->count) die("argument missing");
  return r->word[i];
}

bytes hex(const request *r, int i) {
  const char *s = arg(r, i);
  if (strcmp(s, "-") == 0) s = "";
  bytes b = make(strlen(s) / 2);
  for (size_t k = 0; k < b.len; k++)
    b.data[k] = (uint8_t)(nibble(s[2 * k]) << 4 | nibble(s[2 * k + 1]));
  return b;
}

bytes hex_of(const request *r, int i, size_t len) {
  bytes b = hex(r, i);
  if (b.len != len) die("argument of the wrong size");
  return b;
}

size_t number(const request *r, int i) {
  return (size_t)strtoull(arg(r, i), NULL, 10);
}

void show(const uint8_t *p, size_t len) {
  if (len == 0) putchar('-');
  for (size_t i = 0; i < len; i++) printf("%02x", (unsigned)p[i]);
}

void answer(bytes b) {
  show(b.data, b.len);
  putchar('\n');
  drop(b);
}

static request split(char *line) {
  request r = {0, {NULL}};
  for (char *w = strtok(line, " \n"); w != NULL; w = strtok(NULL, " \n")) {
    if (r.count == MAX_ARGS) die("too many arguments");
    r.word[r.count++] = w;
  }
  return r;
}

/* Reads one line of any length into *line, which has *capacity bytes; 0 at the end of input. */
static int read_line(char **line, size_t *capacity) {
  size_t used = 0;
  for (;;) {
    if (*capacity - used < 2) {
      *capacity = *capacity * 2 + 4096;
      *line = realloc(*line, *capacity);
      if (*line == NULL) die("out of memory");
    }
    if (fgets(*line + used, (int)(*capacity - used), stdin) == NULL) return used > 0;
    used += strlen(*line + used);
    if ((*line)[used - 1] == '\n') return 1;
  }
}

int next_request(request *r) {
  static char *line;
  static size_t capacity;
  while (read_line(&line, &capacity)) {
    *r = split(line);
    if (r->count > 0) return 1;
  }
  free(line);
  return 0;
}
