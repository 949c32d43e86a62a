/* A real program for the core: shell sort, unaligned copies, 64-bit division and SHA-256 over the result.
   It leaves the message in `buffer` and its digest in `digest`, big endian; the host computes the digest again. */
#include <stddef.h>
#include <stdint.h>

enum { SIZE = 16384 };

static struct {
  uint8_t buffer[SIZE];
  uint8_t digest[32];
} result __attribute__((section(".result"), used));
#define buffer result.buffer
#define digest result.digest

/* FIPS 180-4 4.2.2. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned n) {
  return x >> n | x << (32 - n);
}

static void compress(uint32_t *state, const uint8_t *p) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
  }
  for (int i = 0; i < 8; i++) s[i] = state[i];
  for (int i = 0; i < 64; i++) {
    uint32_t t = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6]));
    uint32_t u = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    t += constants[i] + w[i];
    for (int j = 7; j > 0; j--) s[j] = s[j - 1];
    s[4] += t;
    s[0] = t + u;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

static void sort(int16_t *a, int n) {
  for (int gap = n / 2; gap; gap /= 2)
    for (int i = gap; i < n; i++) {
      int16_t t = a[i];
      int j = i;
      for (; j >= gap && a[j - gap] > t; j -= gap) a[j] = a[j - gap];
      a[j] = t;
    }
}

void *memcpy(void *to, const void *from, size_t n) {
  uint8_t *a = to;
  const uint8_t *b = from;
  while (n--) *a++ = *b++;
  return to;
}

void *memset(void *to, int value, size_t n) {
  uint8_t *a = to;
  while (n--) *a++ = (uint8_t)value;
  return to;
}

static void run(void) {
  uint32_t x = 1, state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int i = 0; i < SIZE; i++) buffer[i] = (x = x * 1664525u + 1013904223u) >> 24;
  sort((int16_t *)buffer, 1024);
  memcpy(buffer + 4001, buffer + 3, 3000);
  for (int i = 1; i < 200; i++) *(uint32_t *)(buffer + 8001 + i) ^= (uint32_t)(0x123456789abcdefull / (unsigned)i) * (x % i);
  for (int i = 0; i < SIZE; i += 64) compress(state, buffer + i);
  uint8_t last[64] = {0x80};
  last[62] = (uint8_t)((SIZE * 8) >> 8);
  last[61] = (uint8_t)((SIZE * 8) >> 16);
  compress(state, last);
  for (int i = 0; i < 32; i++) digest[i] = state[i / 4] >> (24 - 8 * (i % 4));
}

void reset(void) {
  run();
  __asm volatile("bkpt 0");
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {0x20008000, (uintptr_t)reset};
