/*
 * Flash of the STM32F4 (RM0090 sections 3.5 to 3.9): see flash.h.
 *
 * EOPIE and ERRIE raise the interrupt at the end of each store, which is 1, 2 or 4 bytes wide as
 * PSIZE says; the handler makes the next. PG stays set over a run of stores, so CR is written twice
 * an operation only. SNB is the sector number, plus 4 in bank 2 (RM0090 section 3.9.8).
 */
#include "flash.h"

#include "abort.h"
#include "activity.h"
#include "flag.h"
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
#define CR_INTERRUPTS (FLASH_CR_EOPIE | FLASH_CR_ERRIE)
#define BANK2_SECTOR 12u
#define BANK2_SNB_GAP 4u
/* Most turns of the loop on SR at the start, of at least 10 cycles: 0.26 s at 160 MHz. */
#define START_TURNS 0x400000u
/* Most turns of the loop on SR in the handler: BSY may end a moment after EOP has begun. */
#define HANDLER_TURNS 64u

/*
 * Twice the longest times of the data sheet, in ticks, and one more because a tick may be almost
 * over.
 */
#define PROGRAM_TICKS 10u
#define OPTION_TICKS 41u
/* At x8, x16, x32: of 128 KB, and shorter sectors are given the same; of everything at once. */
static const uint16_t ERASE_TICKS[3] = {81, 53, 41}, ERASE_ALL_TICKS[3] = {641, 441, 321};

/* Typical times at x32, in units of 50 ms. */
#define ERASE_16_UNITS 5u
#define ERASE_64_UNITS 11u
#define ERASE_128_UNITS 20u
#define ERASE_ALL_UNITS 160u

#define QUEUE 8u

/* An erase or a run of bytes to program: `source` says which. */
typedef struct {
  uint32_t address; /* in flash: of the sector, or of the next store */
  uint8_t *source;  /* NULL: erase; else what is still to be programmed */
  union {
    uint32_t sector; /* erase: its number */
    uint32_t left;   /* program: bytes */
  };
  /* program: where FLASH_BOOT_PREFIX bytes in front of `address` go, or NULL */
  uint8_t *boot_prefix;
} operation;

static inline bool is_erase(const operation *op) {
  return op->source == 0;
}

static SECTION_LARGE operation queue[QUEUE];
static volatile uint32_t operations_queued;
static volatile uint32_t operations_done;
static volatile flag running;
static volatile uint32_t error_flags;      /* SR at the first error, else 0 */
static volatile uint32_t latest_end;       /* tick after which the running operation is overdue */
static volatile uint32_t words_programmed; /* in this session */
static flash_width psize;
static operation current; /* the one that runs, less what is done of it */
/* bytes behind the store that runs which the handler may program word by word: none but at x32 */
static volatile uint32_t words_left;

/* CR with `bits`, the width and the interrupts. */
static uint32_t control(uint32_t bits) {
  return bits | FLASH_CR_PSIZE(psize) | CR_INTERRUPTS;
}

/* What a store takes from the source at `from`. */
static uint32_t value_at(const uint8_t *from) {
  if (psize == WIDTH_X32) return bf_load_le32(from);
  return psize == WIDTH_X16 ? (uint32_t)from[0] | (uint32_t)from[1] << 8 : from[0];
}

static void store(uint32_t to, uint32_t value) {
  if (psize == WIDTH_X32)
    *(volatile uint32_t *)to = value;
  else if (psize == WIDTH_X16)
    *(volatile uint16_t *)to = (uint16_t)value;
  else
    *(volatile uint8_t *)to = (uint8_t)value;
}

/* Clears the source of the store just done and steps on. */
BF_INLINE void step_over_store(void) {
  uint32_t width = 1u << psize;
  store((uint32_t)current.source, 0);
  current.source += width;
  current.address += width;
  current.left -= width;
}

/* Makes the next store that is not all ones. False when there is none. */
static bool program_more(void) {
  uint32_t blank = psize == WIDTH_X32 ? 0xFFFFFFFFu : (1u << (8u << psize)) - 1u;
  for (; current.left > 0; step_over_store()) {
    if ((current.address & 3u) == 0 && bf_load_le32(current.source) != 0xFFFFFFFFu)
      transport_show_words(++words_programmed);
    uint32_t value = value_at(current.source);
    if (value == blank) continue;
    store(current.address, value);
    if (psize == WIDTH_X32) words_left = current.left - 4;
    return true;
  }
  return false;
}

/* The bit that erases bank 2 with bank 1, where there is one. */
static uint32_t mer_bank2(void) {
  return CHIP_TWO_BANKS && FLASH_KIB == 2048u ? FLASH_CR_MER1 : 0;
}

static void start_erase(void) {
  uint32_t sector = current.sector;
  uint32_t snb = sector < BANK2_SECTOR ? sector : sector + BANK2_SNB_GAP;
  uint32_t erase = control(sector == ERASE_ALL ? FLASH_CR_MER | mer_bank2()
                                               : FLASH_CR_SER | FLASH_CR_SNB(snb));
  activity_begin(ACTIVITY_ERASING, sector);
  FLASH_CR = erase;
  FLASH_CR = erase | FLASH_CR_STRT;
}

/*
 * Copies `bytes`, a multiple of 4, between places on 4 bytes; four words at a time take half of the
 * cycles.
 */
BF_FAST static void copy_words(uint32_t *to, const uint32_t *from, uint32_t bytes) {
  for (; bytes >= 16; bytes -= 16, to += 4, from += 4) {
    uint32_t a = from[0], b = from[1], c = from[2], d = from[3];
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
  }
  for (; bytes > 0; bytes -= 4) *to++ = *from++;
}

/* The array is idle for a moment: reads back what the operation has programmed, for the digests. */
static void read_back(void) {
  const operation *op = &queue[operations_done % QUEUE];
  copy_words((uint32_t *)(uintptr_t)op->source, (const uint32_t *)op->address, op->left);
  if (op->boot_prefix)
    bf_copy(op->boot_prefix, (const uint8_t *)op->address - FLASH_BOOT_PREFIX, FLASH_BOOT_PREFIX);
}

/* Ticks the operation that begins may last. */
static uint32_t most_ticks(void) {
  if (!is_erase(&current)) return PROGRAM_TICKS;
  return current.sector == ERASE_ALL ? ERASE_ALL_TICKS[psize] : ERASE_TICKS[psize];
}

/*
 * Starts queued operations until one keeps the hardware busy; called with interrupts masked, or by
 * the handler.
 */
static void start_next(void) {
  while (operations_done != operations_queued) {
    current = queue[operations_done % QUEUE];
    latest_end = tick_count + most_ticks();
    running = true;
    if (is_erase(&current)) {
      start_erase();
      return;
    }
    activity_begin(ACTIVITY_PROGRAMMING, 0);
    FLASH_CR = control(FLASH_CR_PG);
    if (program_more()) return;
    read_back();
    operations_done++;
  }
  FLASH_CR = control(0);
  running = false;
  activity_begin(ACTIVITY_IDLE, 0);
}

static void end_operation(void) {
  if (!is_erase(&current)) read_back();
  operations_done++;
  wake_count++;
  start_next();
}

/* The handler's long way: the end of an operation, words of FF, other widths, errors. */
BF_NOINLINE static void end_store(void) {
  uint32_t sr, left = HANDLER_TURNS;
  words_left = 0;
  do sr = FLASH_SR;
  while ((sr & FLASH_SR_BSY) != 0 && --left != 0);
  /* cleared in any case, or the interrupt would come again at once and nothing else would run */
  FLASH_SR = FLASH_SR_EOP | FLASH_SR_ERRORS;
  if (sr & FLASH_SR_BSY) return;
  if (sr & FLASH_SR_ERRORS) {
    error_flags = sr;
    running = false;
    wake_count++;
  } else if ((sr & FLASH_SR_EOP) != 0 && running) {
    if (!is_erase(&current)) {
      step_over_store();
      if (program_more()) return;
    }
    end_operation();
  }
}

/*
 * FLASH global interrupt. What it does before the store is added to every word's time: a word that
 * follows another takes the short way, and is counted after its store.
 */
BF_FAST void flash_irq(void) {
  uint32_t left = words_left;
  uint32_t *source = (uint32_t *)(uintptr_t)current.source;
  if (FLASH_SR != FLASH_SR_EOP || left == 0 || source[1] == 0xFFFFFFFFu) {
    end_store();
    return;
  }
  uint32_t address = current.address + 4;
  FLASH_SR = FLASH_SR_EOP;
  *(volatile uint32_t *)address = source[1];
  source[0] = 0;
  current.source = (uint8_t *)(source + 1);
  current.address = address;
  current.left = left;
  words_left = left - 4;
  transport_show_words(++words_programmed);
}

static uint32_t enqueue(operation next) {
  irq_off();
  queue[operations_queued % QUEUE] = next;
  operations_queued++;
  if (!running && error_flags == 0) start_next();
  irq_on();
  return operations_queued;
}

void flash_start(void) {
  for (uint32_t left = START_TURNS; (FLASH_SR & FLASH_SR_BSY) != 0; left--)
    if (left == 0) session_abort(ERROR_FLASH_TIMEOUT, FLASH_SR);
  FLASH_CR = FLASH_CR_LOCK;
  FLASH_SR = FLASH_SR_EOP | FLASH_SR_ERRORS;
  NVIC_ISER(FLASH_IRQ / 32) = BIT(FLASH_IRQ % 32);
}

void flash_begin(flash_width width) {
  flash_start();
  psize = width;
  error_flags = words_programmed = 0;
  transport_show_words(0);
}

void flash_unlock(void) {
  if ((FLASH_CR & FLASH_CR_LOCK) == 0) return;
  FLASH_KEYR = KEY1;
  FLASH_KEYR = KEY2;
  if (FLASH_CR & FLASH_CR_LOCK) session_abort(ERROR_FLASH_ERROR, FLASH_SR);
}

bool flash_can_queue(void) {
  return operations_queued - operations_done < QUEUE;
}

uint32_t flash_erase(uint32_t sector, uint32_t address) {
  return enqueue((operation){.address = address, .source = 0, .sector = sector, .boot_prefix = 0});
}

/* Typical time of erasing a sector of so many KiB; 0 is none. */
static uint32_t erase_units(uint32_t kib) {
  if (kib == 0) return 0;
  if (kib == 16) return ERASE_16_UNITS;
  return kib == 64 ? ERASE_64_UNITS : ERASE_128_UNITS;
}

bool flash_all_is_faster(const chip_geometry *chip, uint32_t mask) {
  uint32_t units = 0;
  for (uint32_t i = 0; i < CHIP_SECTORS; i++)
    if ((mask >> i & 1u) != 0) units += erase_units(chip_sector_at(chip, i).size >> 10);
  return units > ERASE_ALL_UNITS;
}

uint32_t flash_program(uint32_t address, uint32_t *source, uint32_t bytes, uint8_t *boot_prefix) {
  return enqueue((operation){
      .address = address, .source = (uint8_t *)source, .left = bytes, .boot_prefix = boot_prefix});
}

bool flash_done(uint32_t operation_number) {
  return (int32_t)(operations_done - operation_number) >= 0;
}

bool flash_idle(void) {
  return operations_done == operations_queued;
}

uint32_t flash_words(void) {
  return words_programmed;
}

/* The error that is to end the session, or ERROR_NONE. */
static session_error trouble(void) {
  if (error_flags) return ERROR_FLASH_ERROR;
  /* read before the tick: the next operation may begin in between */
  uint32_t latest = latest_end;
  return running && (int32_t)(tick_count - latest) > 0 ? ERROR_FLASH_TIMEOUT : ERROR_NONE;
}

void flash_check(void) {
  session_error wrong = trouble();
  if (wrong != ERROR_NONE) session_abort(wrong, error_flags ? error_flags : FLASH_SR);
}

void flash_wait(void) {
  while (running && trouble() == ERROR_NONE) {
  }
  flash_check();
}

void flash_drop(void) {
  irq_off();
  uint32_t end = operations_done; /* of what stays queued */
  words_left = 0;
  if (running) {
    operation *op = &queue[end++ % QUEUE];
    if (!is_erase(&current)) {
      current.left = 1u << psize; /* the store that runs */
      op->left = 0;               /* nothing is read back */
      op->boot_prefix = 0;
    }
  }
  operations_queued = end;
  irq_on();
}

void flash_stop(void) {
  flash_drop();
  while (running && trouble() == ERROR_NONE) {
  }
  /* before the lock: an operation that ends after all must not start what was dropped */
  running = false;
  operations_done = operations_queued;
  if ((FLASH_SR & FLASH_SR_BSY) == 0) FLASH_CR = FLASH_CR_LOCK;
  activity_begin(ACTIVITY_IDLE, 0);
}

/*
 * Waits for the option bytes. True when they are programmed; false also when they were not even
 * begun, for OPTCR reads what was written to it either way.
 */
static bool options_settle(void) {
  uint32_t begun = tick_count;
  __asm__ volatile("dsb" ::: "memory"); /* BSY is looked at once the start has arrived */
  while ((FLASH_SR & FLASH_SR_BSY) != 0 || (FLASH_OPTCR & FLASH_OPTCR_STRT) != 0)
    if (tick_count - begun > OPTION_TICKS) return false;
  return (FLASH_SR & FLASH_SR_ERRORS) == 0;
}

void flash_protect(bool sector_0) {
  FLASH_SR = FLASH_SR_ERRORS;
  if (FLASH_OPTCR & FLASH_OPTCR_LOCK) {
    FLASH_OPTKEYR = OPTKEY1;
    FLASH_OPTKEYR = OPTKEY2;
  }
  uint32_t options = FLASH_OPTCR & ~(OPTCR_RDP_MASK | FLASH_OPTCR_LOCK | FLASH_OPTCR_STRT);
  if (sector_0) options &= ~FLASH_OPTCR_NWRP(0);
  activity_begin(ACTIVITY_OPTIONS, 0);
  FLASH_OPTCR = options | OPTCR_RDP_LEVEL1;
  FLASH_OPTCR = options | OPTCR_RDP_LEVEL1 | FLASH_OPTCR_STRT;
  bool programmed = options_settle();
  if ((FLASH_SR & FLASH_SR_BSY) == 0) FLASH_OPTCR |= FLASH_OPTCR_LOCK;
  activity_begin(ACTIVITY_IDLE, 0);
  if (!programmed) session_abort(ERROR_OPTIONS_FAILED, FLASH_OPTCR);
}
