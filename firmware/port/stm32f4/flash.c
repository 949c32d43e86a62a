/*
 * Flash of the STM32F4 (RM0090 sections 3.5 to 3.9): see flash.h.
 *
 * EOPIE and ERRIE raise the interrupt at the end of each unit of PSIZE bytes; the handler starts the next. PG stays set over a run of
 * units, so CR is written twice an operation only. SNB is the sector number, plus 4 in bank 2 (section 2.2 of the reference).
 */
#include "flash.h"

#include "abort.h"
#include "section.h"
#include "registers.h"
#include "tick.h"
#include "transport.h"
#include "util.h"

#define KEY1 0x45670123u
#define KEY2 0xCDEF89ABu
#define OPTKEY1 0x08192A3Bu
#define OPTKEY2 0x4C5D6E7Fu
#define OPTCR_RDP_MASK FLASH_OPTCR_RDP(0xFFu)
#define OPTCR_RDP_LEVEL1 FLASH_OPTCR_RDP(0x55u)
#define CR_IDLE (FLASH_CR_EOPIE | FLASH_CR_ERRIE)
#define BANK2_SECTOR 12u
#define BANK2_SNB_GAP 4u
#define PATIENCE 0x400000u /* turns of a loop on SR at the start: over 2 s at 16 MHz */

/* Twice the longest times of the data sheet, in tick_count, and one because a tick may be almost over. */
#define PROGRAM_TICKS 10u
#define OPTION_TICKS 41u
static const uint8_t ERASE_TICKS[3] = {81, 53, 41}; /* 128 KB at x8, x16, x32; shorter sectors are given the same */

#define QUEUE 8u

typedef struct {
  uint32_t to; /* address; of an erase, the sector's */
  uint8_t *from; /* NULL: erase */
  uint32_t left; /* bytes; of an erase, the sector number */
  uint8_t *boot_prefix; /* where the LEAD bytes in front of `to` are wanted, or NULL */
} operation;

static SECTION_LARGE operation queue[QUEUE];
static volatile uint32_t queued; /* tickets given */
static volatile uint32_t done;   /* tickets done */
static volatile uint32_t running;
static volatile uint32_t error;  /* SR at the first error */
static volatile uint32_t started; /* tick */
static volatile uint32_t words;
static uint32_t psize;
static operation now;

static uint32_t control(uint32_t bits) {
  return bits | FLASH_CR_PSIZE(psize) | CR_IDLE;
}

/* Value of the unit at `from`. */
static uint32_t unit_at(const uint8_t *from) {
  return psize == 2 ? bf_load_le32(from) : psize == 1 ? (uint32_t)from[0] | (uint32_t)from[1] << 8 : from[0];
}

static void store_unit(uint32_t to, uint32_t value) {
  if (psize == 2) *(volatile uint32_t *)to = value;
  else if (psize == 1) *(volatile uint16_t *)to = (uint16_t)value;
  else *(volatile uint8_t *)to = (uint8_t)value;
}

/* Clears the source of the unit just done and steps on. */
BF_INLINE void next_unit(void) {
  uint32_t width = 1u << psize;
  store_unit((uint32_t)now.from, 0);
  now.from += width;
  now.to += width;
  now.left -= width;
}

/* Stores the next unit if it is a word of x32 to program: the common case. */
BF_INLINE int program_word(void) {
  uint32_t value = *(uint32_t *)(uintptr_t)now.from;
  if (psize != 2 || now.left == 0 || value == 0xFFFFFFFFu) return 0;
  transport_show_words(++words);
  *(volatile uint32_t *)now.to = value;
  return 1;
}

/* Stores the next unit that is not all ones. Returns 0 when there is none. */
static int program_more(void) {
  uint32_t blank = psize == 2 ? 0xFFFFFFFFu : (1u << (8u << psize)) - 1u;
  for (; now.left > 0; next_unit()) {
    if ((now.to & 3u) == 0 && bf_load_le32(now.from) != 0xFFFFFFFFu) transport_show_words(++words);
    uint32_t value = unit_at(now.from);
    if (value == blank) continue;
    store_unit(now.to, value);
    return 1;
  }
  return 0;
}

static void start_erase(void) {
  uint32_t number = now.left;
  uint32_t code = number < BANK2_SECTOR ? number : number + BANK2_SNB_GAP;
  transport_show_activity(ACTIVITY_ERASING, number);
  FLASH_CR = control(FLASH_CR_SER | FLASH_CR_SNB(code));
  FLASH_CR = control(FLASH_CR_SER | FLASH_CR_SNB(code) | FLASH_CR_STRT);
}

/* The array is idle for a moment: reads back what the operation has programmed, for the digests. */
static void read_back(void) {
  const operation *op = &queue[done % QUEUE];
  bf_copy(op->from, (const uint8_t *)op->to, op->left);
  if (op->boot_prefix) bf_copy(op->boot_prefix, (const uint8_t *)op->to - FLASH_BOOT_PREFIX, FLASH_BOOT_PREFIX);
}

/* Starts queued operations until one keeps the hardware busy; interrupts must be masked or this be the handler. */
static void start_next(void) {
  while (done != queued) {
    now = queue[done % QUEUE];
    started = tick_count;
    running = 1;
    if (now.from == 0) {
      start_erase();
      return;
    }
    transport_show_activity(ACTIVITY_PROGRAMMING, 0);
    FLASH_CR = control(FLASH_CR_PG);
    if (program_more()) return;
    read_back();
    done++;
  }
  FLASH_CR = control(0);
  running = 0;
  transport_show_activity(ACTIVITY_IDLE, 0);
}

static void end_operation(void) {
  if (now.from != 0) read_back();
  done++;
  wake_count++;
  start_next();
}

/* FLASH global interrupt. Its time is added to every word's: one to program takes the short way. */
BF_FAST void flash_irq(void) {
  uint32_t sr = FLASH_SR;
  if (sr & FLASH_SR_BSY) return;
  FLASH_SR = FLASH_SR_EOP | FLASH_SR_ERRORS;
  if (sr & FLASH_SR_ERRORS) {
    error = sr;
    running = 0;
    wake_count++;
  } else if ((sr & FLASH_SR_EOP) != 0 && running) {
    if (now.from != 0) {
      next_unit();
      if (program_word() || program_more()) return;
    }
    end_operation();
  }
}

static uint32_t enqueue(operation next) {
  irq_off();
  queue[queued % QUEUE] = next;
  queued++;
  if (!running && error == 0) start_next();
  irq_on();
  return queued;
}

void flash_start(void) {
  for (uint32_t left = PATIENCE; (FLASH_SR & FLASH_SR_BSY) != 0; left--)
    if (left == 0) session_abort(ERROR_FLASH_TIMEOUT, FLASH_SR);
  FLASH_CR = FLASH_CR_LOCK;
  FLASH_SR = FLASH_SR_EOP | FLASH_SR_ERRORS;
  NVIC_ISER(FLASH_IRQ / 32) = BIT(FLASH_IRQ % 32);
}

void flash_begin(uint32_t width) {
  psize = width;
  error = words = 0;
  transport_show_words(0);
}

void flash_unlock(void) {
  if ((FLASH_CR & FLASH_CR_LOCK) == 0) return;
  FLASH_KEYR = KEY1;
  FLASH_KEYR = KEY2;
}

int flash_room(void) {
  return queued - done < QUEUE;
}

uint32_t flash_erase(uint32_t number, chip_sector sector) {
  return enqueue((operation){sector.address, 0, number, 0});
}

uint32_t flash_program(uint32_t address, uint32_t *source, uint32_t bytes, uint8_t *boot_prefix) {
  return enqueue((operation){address, (uint8_t *)source, bytes, boot_prefix});
}

int flash_done(uint32_t ticket) {
  return (int32_t)(done - ticket) >= 0;
}

int flash_idle(void) {
  return done == queued;
}

uint32_t flash_words(void) {
  return words;
}

/* ERROR_ of what is wrong, or 0. */
static uint32_t trouble(void) {
  if (error) return ERROR_FLASH_ERROR;
  uint32_t limit = now.from == 0 ? ERASE_TICKS[psize] : PROGRAM_TICKS;
  return running && tick_count - started > limit ? ERROR_FLASH_TIMEOUT : 0;
}

void flash_check(void) {
  uint32_t wrong = trouble();
  if (wrong) session_abort(wrong, error ? error : FLASH_SR);
}

void flash_wait(void) {
  while (running && !trouble()) {
  }
  flash_check();
}

void flash_drop(void) {
  irq_off();
  uint32_t first = done;
  if (running) {
    operation *op = &queue[first++ % QUEUE];
    if (now.from != 0) now.left = 1u << psize;
    op->left = 0; /* nothing is read back */
    op->boot_prefix = 0;
  }
  queued = first;
  irq_on();
}

void flash_stop(void) {
  flash_drop();
  while (running && !trouble()) {
  }
  running = 0; /* first: an operation that ends after all must not count, or it would start what was dropped */
  done = queued;
  if ((FLASH_SR & FLASH_SR_BSY) == 0) FLASH_CR = FLASH_CR_LOCK;
  transport_show_activity(ACTIVITY_IDLE, 0);
}

static int options_settle(void) {
  uint32_t begun = tick_count;
  while ((FLASH_SR & FLASH_SR_BSY) != 0)
    if (tick_count - begun > OPTION_TICKS) return 1;
  return (FLASH_SR & FLASH_SR_ERRORS) != 0;
}

void flash_protect(void) {
  FLASH_SR = FLASH_SR_ERRORS;
  if (FLASH_OPTCR & FLASH_OPTCR_LOCK) {
    FLASH_OPTKEYR = OPTKEY1;
    FLASH_OPTKEYR = OPTKEY2;
  }
  uint32_t options = FLASH_OPTCR & ~(OPTCR_RDP_MASK | FLASH_OPTCR_LOCK | FLASH_OPTCR_STRT);
  transport_show_activity(ACTIVITY_OPTIONS, 0);
  FLASH_OPTCR = options | OPTCR_RDP_LEVEL1;
  FLASH_OPTCR = options | OPTCR_RDP_LEVEL1 | FLASH_OPTCR_STRT;
  int failed = options_settle();
  if ((FLASH_SR & FLASH_SR_BSY) == 0) FLASH_OPTCR |= FLASH_OPTCR_LOCK;
  transport_show_activity(ACTIVITY_IDLE, 0);
  if (failed) session_abort(ERROR_OPTIONS_FAILED, FLASH_OPTCR);
}
