/*
 * The stub's main loop: the state table of docs/mailbox.md. A turn obeys a command, serves a frame or watches the clock; then the
 * loop waits on words in RAM, so that nothing but the agent, a tick or the flash engine moves it.
 */
#include "chip.h"
#include "clock.h"
#include "commands.h"
#include "entry.h"
#include "flash.h"
#include "job.h"
#include "mailbox_transport.h"
#include "abort.h"
#include "section.h"
#include "registers.h"
#include "rng.h"
#include "secretbox.h"
#include "session.h"
#include "supply.h"
#include "tick.h"
#include "util.h"
#include "wipe.h"

#define REPLY_ABORT 0xFF
#define BUFFERS 3u
#define BUFFER_WORDS ((BOX_IMAGE + TRAILER_SIZE) / 4u)

static SECRET uint32_t buffers[BUFFERS][BUFFER_WORDS]; /* box, plaintext, then flash content, of one frame each */
static LARGE frame frames[BUFFERS];                    /* those with a ticket are in the flash engine's hands */
static frame *pending;                                 /* opened, not run; or NULL */

static uint32_t have_job;
static uint32_t obeying;   /* the command at work, or 0 */
static uint32_t refusing;  /* a failure now is for good */
static uint32_t handshakes;
static uint32_t box_failed; /* the last session ended by a box that did not open */
static uint32_t retries;    /* handshakes after such an end */
static uint32_t moved;      /* tick of the last sign of life */
static uint32_t damaged;    /* tick at which the next slot was found damaged, plus 1; 0 when it was not */

static int is_keyed_state(uint32_t state) {
  return state >= STATE_ACTIVE && state <= STATE_LOCKED;
}

/* Wipes and forgets the session; flash is locked afterwards. */
static void close_session(void) {
  flash_drop();
  wipe_secrets();
  bf_wipe(frames, sizeof frames);
  pending = 0;
  flash_stop();
}

/* Ends the session into `state`; with an error the controller is told, once, by a sealed ABORT. */
static void end_session(uint32_t state, uint32_t error, uint32_t detail) {
  if (error != 0 && session_keyed() && session_room()) {
    uint32_t body[2] = {error, detail};
    session_reply(REPLY_ABORT, 0, mbox_next() - (pending == 0), body, sizeof body);
  }
  close_session();
  box_failed = error == ERROR_BOX_FAILED;
  mbox_set_error(error, detail);
  mbox_set_state(state);
}

static void offer_handshake(void) {
  close_session();
  refusing = 1;
  retries += box_failed;
  box_failed = 0;
  if (handshakes == HANDSHAKES_IN_ALL || retries > HANDSHAKES_AFTER_FAILED_BOX) fail(ERROR_TOO_MANY_HANDSHAKES, 0);
  MB(HANDSHAKES) = ++handshakes;
  mbox_reset();
  mbox_set_error(0, 0);
  damaged = 0;
  uint32_t psize = supply_psize(), most = THE_PLAN->psize;
  commands_begin(psize < most ? psize : most);
  session_offer(handshakes, psize);
  refusing = 0;
  mbox_set_state(STATE_OFFERED);
}

static void obey(uint32_t command) {
  uint32_t state = mbox_state();
  if (command == COMMAND_JOB && state == STATE_WAITING) {
    job_take();
    have_job = 1;
    offer_handshake();
  }
  if (command == COMMAND_M2 && state == STATE_OFFERED) {
    session_confirm();
    mbox_set_state(STATE_ACTIVE);
  }
  if (command == COMMAND_ABORT && state >= STATE_WAITING && state <= STATE_LOCKED)
    end_session(STATE_ABORTED, ERROR_AGENT_STOPPED, 0);
  if (command == COMMAND_HANDSHAKE && have_job && state >= STATE_OFFERED && state <= STATE_EXPIRED) offer_handshake();
}

/* A buffer the flash engine does not need, or NULL. */
static frame *free_frame(void) {
  for (uint32_t i = 0; i < BUFFERS; i++)
    if (frames[i].ticket == 0) return &frames[i];
  return 0;
}

/* The frame that has been in the engine's hands longest, or NULL. */
static frame *oldest_frame(void) {
  frame *oldest = 0;
  for (uint32_t i = 0; i < BUFFERS; i++)
    if (frames[i].ticket != 0 && (oldest == 0 || (int32_t)(frames[i].ticket - oldest->ticket) < 0)) oldest = &frames[i];
  return oldest;
}

/* True when a frame may be looked for now: a damaged slot is read again a tick later. */
static int may_fetch(void) {
  return is_keyed_state(mbox_state()) && pending == 0 && free_frame() != 0 && damaged != ticks + 1;
}

/* Fetches and opens the next frame if it is there; fails when its box does not open. */
static void fetch(void) {
  if (!may_fetch() || *mbox_watch() != mbox_next()) return;
  frame *f = free_frame();
  uint8_t *box = (uint8_t *)buffers[f - frames];
  uint32_t length = mbox_fetch(box);
  damaged = length == 0 ? ticks + 1 : 0;
  if (length == 0) return;
  bf_wipe(f, sizeof *f);
  f->bytes = box;
  f->size = length - BF_BOX_TAG;
  f->sequence = mbox_next();
  pending = f;
  session_open(box, length);
}

static void release(frame *f) {
  bf_wipe(f->bytes, f->size);
  f->ticket = 0;
}

/* Runs the frame that is pending. Returns 1 when there was something to do. */
static int run(void) {
  frame *f = pending;
  if (f == 0 || !commands_run(f, oldest_frame() == 0)) return 0;
  if (f->ticket == 0) release(f);
  pending = 0;
  moved = ticks;
  mbox_accept();
  if (f->last) end_session(STATE_ENDED, 0, 0);
  return 1;
}

/* Hashes what has come back from flash. Returns 1 when there was something. */
static int follow(void) {
  frame *f = oldest_frame();
  if (f == 0 || !flash_done(f->ticket)) return 0;
  commands_follow(f);
  release(f);
  return 1;
}

/* Frames, replies and troubles of a session. Returns 1 when there may be more to do at once. */
static int serve(void) {
  flash_check();
  commands_finish_erase();
  fetch();
  return run() || follow();
}

static void watch_clock(void) {
  uint32_t state = mbox_state();
  if (!flash_idle()) moved = ticks;
  if (state < STATE_OFFERED || state > STATE_LOCKED) return;
  if (ticks - moved > THE_PLAN->idle_ms / TICK_MS) end_session(STATE_EXPIRED, ERROR_IDLE, 0);
}

/* Waits in RAM for a command, the next frame, a tick or the end of a flash operation. */
static void wait(uint32_t seen) {
  const volatile uint32_t *watch = mbox_watch();
  uint32_t look = may_fetch(), next = mbox_next();
  while (wake == seen && MB(COMMAND) == 0 && !(look && *watch == next)) {
  }
}

static void command_done(void) {
  if (MB(COMMAND) == obeying) MB(COMMAND) = 0;
  obeying = 0;
}

static void turn(void) {
  uint32_t seen = wake;
  obeying = MB(COMMAND);
  if (obeying != 0) {
    moved = ticks;
    obey(obeying);
    command_done();
    return;
  }
  if (is_keyed_state(mbox_state()) && serve()) return;
  watch_clock();
  wait(seen);
}

static void __attribute__((noreturn)) turn_for_ever(void) {
  MB(MAGIC) = MB_MAGIC_VALUE;
  for (;;) turn();
}

/* The end of fail(), on a stack that is empty again. */
static void __attribute__((noreturn, used)) failed(uint32_t error, uint32_t detail) {
  end_session(refusing || mbox_state() < STATE_OFFERED ? STATE_REFUSED : STATE_ABORTED, error, detail);
  if (obeying != 0) command_done();
  turn_for_ever();
}

__attribute__((naked)) void fail(uint32_t error __attribute__((unused)), uint32_t detail __attribute__((unused))) {
  __asm__ volatile("  ldr r2, =stack_top\n  mov sp, r2\n  b failed\n  .pool\n");
}

/* Everything an application may have left in the core, off. */
static void quiet_core(void) {
  SYST_CSR = 0;
  SCB_ICSR = SCB_ICSR_PENDSTCLR;
  MPU_CTRL = 0;
  for (uint32_t i = 0; i < NVIC_REGISTERS; i++) {
    NVIC_ICER(i) = 0xFFFFFFFFu;
    NVIC_ICPR(i) = 0xFFFFFFFFu;
  }
  SCB_VTOR = MEM_STUB;
  SCB_SHCSR |= SCB_SHCSR_FAULTS;
  DEMCR |= DEMCR_TRCENA;
  DWT_CTRL |= 1u;
}

/* A chip that lacks what it takes is refused before its clock, its flash or its random generator is touched; the watchdog is fed. */
static void refuse_chip(void) {
  uint32_t error = chip_refusal();
  if (error == 0) return;
  tick_start(TICK_CYCLES(CLOCK_SLOW_HZ));
  irq_on();
  fail(error, DBGMCU_IDCODE & 0xFFFu);
}

/* Not inlined: what it needs of the stack is not to lie under the main loop for good. */
BF_NOINLINE static void start_hardware(void) {
  int slow = clock_start();
  tick_start(slow ? TICK_CYCLES(CLOCK_SLOW_HZ) : TICK_CYCLES(CLOCK_FAST_HZ));
  irq_on();
  session_hash_stub();
  if (slow) fail(ERROR_CLOCK_FAILED, RCC_CR);
  flash_start();
  uint32_t failed = rng_start();
  if (failed) fail(ERROR_RANDOM_FAILED, failed);
}

void stub_main(void) {
  quiet_core();
  tick_feed();
  MB(VERSION) = STUB_VERSION;
  refuse_chip();
  start_hardware();
  mbox_set_state(STATE_WAITING);
  turn_for_ever();
}
