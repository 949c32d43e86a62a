/* An ordinary hard-float program with interrupts: SysTick's handler uses the floating-point unit too and may come at any
   instruction of the main loop, which solves differential equations and multiplies matrices. The main loop's results must
   not depend on when the handler runs. */
#include <stdint.h>

#include "semihosting.h"

enum { STEPS = 400, SIZE = 8 };

static struct {
  float orbit[4];
  float product[SIZE][SIZE];
  float roots[32];
  uint32_t fpscr;
  uint32_t interrupts;
  float average;
} result __attribute__((section(".result"), used));

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define SYST_CVR REGISTER(0xe000e018)
#define CPACR REGISTER(0xe000ed88)

static volatile float average;
static volatile uint32_t interrupts;

void tick(void) {
  float x = (float)(interrupts % 97) * 0.25f - 3.0f;
  average = average * 0.875f + __builtin_sqrtf(x * x + 1.0f) / (x * x + 2.0f);
  interrupts++;
}

static void orbit(void) {
  float x = 1.0f, y = 0.0f, vx = 0.0f, vy = 0.9f;
  const float h = 0.01f;
  for (int i = 0; i < STEPS; i++) {
    float r2 = x * x + y * y, r3 = r2 * __builtin_sqrtf(r2);
    vx -= h * x / r3;
    vy -= h * y / r3;
    x += h * vx;
    y += h * vy;
  }
  result.orbit[0] = x;
  result.orbit[1] = y;
  result.orbit[2] = vx;
  result.orbit[3] = vy;
}

static void matrices(void) {
  static float a[SIZE][SIZE], b[SIZE][SIZE];
  uint32_t noise = 7;
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) {
      a[i][j] = (float)(int32_t)(noise = noise * 1664525u + 1013904223u) / 65536.0f;
      b[i][j] = (float)(uint32_t)(noise = noise * 1664525u + 1013904223u) * 1e-6f;
    }
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) {
      float sum = 0;
      for (int k = 0; k < SIZE; k++) sum += a[i][k] * b[k][j];
      result.product[i][j] = sum;
    }
}

static void roots(void) {
  for (int i = 0; i < 32; i++) {
    double wide = 1.0 + i; /* soft double beside the hardware's single */
    float x = (float)wide;
    for (int turn = 0; turn < 6; turn++) x = 0.5f * (x + (float)wide / x);
    result.roots[i] = x > __builtin_sqrtf((float)wide) ? x : -x;
  }
}

__attribute__((noinline, used)) void finish(void) {
  semihosting_give(&result, sizeof result);
}

__attribute__((noinline)) static void run(void) {
  SYST_RVR = 211;
  SYST_CVR = 0;
  SYST_CSR = 7;
  orbit();
  matrices();
  roots();
  SYST_CSR = 0;
  __asm__ volatile("isb");
  uint32_t fpscr;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
  result.fpscr = fpscr;
  result.interrupts = interrupts;
  result.average = average;
}

__attribute__((noreturn)) void reset(void) {
  CPACR |= 0xf00000;
  __asm__ volatile("dsb\nisb");
  run();
  finish();
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    [0] = 0x20008000, [1] = (uintptr_t)reset, [7] = (uintptr_t)finish, [15] = (uintptr_t)tick,
};
