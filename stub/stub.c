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
#include "mbox.h"
#include "outcome.h"
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

static SECRET uint32_t buffers[BUFFERS][BUFFER_WORDS]; /* box, then plaintext, of one frame each */
static uint32_t tickets[BUFFERS];                      /* flash needs the buffer until then */
static frame pending;                                  /* opened, not run; bytes is NULL when there is none */
static uint32_t pending_buffer;

static job the_job;
static uint32_t have_job;
static uint32_t handshakes;
static uint32_t box_failed; /* the last session ended by a box that did not open */
static uint32_t retries;    /* handshakes after such an end */
static uint32_t moved;      /* tick of the last sign of life */
static uint32_t damaged;    /* tick at which the next slot was found damaged, plus 1; 0 when it was not */

static int is_keyed_state(uint32_t state) {
  return state == STATE_ACTIVE || state == STATE_WRITTEN || state == STATE_LOCKED;
}

/* Wipes and forgets the session; flash is locked afterwards. */
static void close_session(void) {
  flash_drop();
  wipe_secrets();
  pending.bytes = 0;
  flash_stop();
}

/* Ends the session into `state`; with an error the controller is told, once, by a sealed ABORT. */
static void end_session(uint32_t state, uint32_t error, uint32_t detail) {
  if (error != 0 && session_keyed() && mbox_room(session_next_reply())) {
    uint32_t body[2] = {error, detail};
    session_reply(REPLY_ABORT, 0, mbox_next() - (pending.bytes == 0), body, sizeof body);
  }
  close_session();
  box_failed = error == ERROR_BOX_FAILED;
  mbox_set_error(error, detail);
  mbox_set_state(state);
}

static void abort_session(void) {
  end_session(STATE_ABORTED, reason.error, reason.detail);
}

static void refuse(uint32_t error, uint32_t detail) {
  end_session(STATE_REFUSED, error, detail);
}

static void offer_handshake(void) {
  close_session();
  retries += box_failed;
  box_failed = 0;
  if (handshakes == HANDSHAKES_IN_ALL || retries > HANDSHAKES_AFTER_FAILED_BOX) {
    refuse(ERROR_TOO_MANY_HANDSHAKES, 0);
    return;
  }
  MB(HANDSHAKES) = ++handshakes;
  mbox_reset();
  mbox_set_error(0, 0);
  for (uint32_t i = 0; i < BUFFERS; i++) tickets[i] = 0;
  damaged = 0;
  uint32_t psize = supply_psize();
  commands_begin(&the_job, psize < the_job.plan.psize ? psize : the_job.plan.psize);
  if (session_offer(&the_job, handshakes, psize)) refuse(reason.error, reason.detail);
  else mbox_set_state(STATE_OFFERED);
}

static void obey_job(void) {
  if (mbox_state() != STATE_WAITING) return;
  have_job = !job_take(&the_job);
  if (have_job) offer_handshake();
  else refuse(reason.error, reason.detail);
}

static void obey_m2(void) {
  if (mbox_state() != STATE_OFFERED) return;
  if (session_confirm(&the_job)) abort_session();
  else mbox_set_state(STATE_ACTIVE);
}

static void obey(uint32_t command) {
  uint32_t state = mbox_state();
  if (command == COMMAND_JOB) obey_job();
  if (command == COMMAND_M2) obey_m2();
  if (command == COMMAND_ABORT && state >= STATE_WAITING && state <= STATE_LOCKED)
    end_session(STATE_ABORTED, ERROR_AGENT_STOPPED, 0);
  if (command == COMMAND_HANDSHAKE && have_job && state >= STATE_OFFERED && state <= STATE_EXPIRED) offer_handshake();
}

/* A buffer the flash engine does not need any more, or BUFFERS. */
static uint32_t free_buffer(void) {
  uint32_t i = 0;
  while (i < BUFFERS && tickets[i] != 0 && !flash_done(tickets[i])) i++;
  return i;
}

/* True when a frame may be looked for now: a damaged slot is read again a tick later. */
static int may_fetch(void) {
  return is_keyed_state(mbox_state()) && pending.bytes == 0 && free_buffer() < BUFFERS && damaged != ticks + 1;
}

/* Fetches and opens the next frame if it is there. Returns 0, or 1 with the reason noted when its box does not open. */
static int fetch(void) {
  if (!may_fetch() || *mbox_watch() != mbox_next()) return 0;
  pending_buffer = free_buffer();
  uint8_t *box = (uint8_t *)buffers[pending_buffer];
  uint32_t length = mbox_fetch(box);
  damaged = length == 0 ? ticks + 1 : 0;
  if (length == 0) return 0;
  pending = (frame){box, length - BF_BOX_TAG, mbox_next()};
  return session_open(box, length);
}

/* Runs the frame that is pending. Returns 0, or 1 when the session has ended. */
static int run(void) {
  uint32_t ticket = 0;
  run_result result = commands_run(&pending, &ticket);
  if (result == RUN_LATER) return 0;
  if (result == RUN_FAILED) {
    abort_session();
    return 1;
  }
  if (ticket == 0) bf_wipe(pending.bytes, pending.size);
  tickets[pending_buffer] = ticket;
  pending.bytes = 0;
  moved = ticks;
  mbox_accept();
  if (result == RUN_ENDED) end_session(STATE_ENDED, 0, 0);
  return 1;
}

/* Frames, replies and troubles of a session. Returns 1 when there may be more to do at once. */
static int serve(void) {
  if (flash_failed()) {
    abort_session();
    return 1;
  }
  commands_finish_erase();
  if (fetch()) {
    abort_session();
    return 1;
  }
  return pending.bytes != 0 && run();
}

static void watch_clock(void) {
  uint32_t state = mbox_state();
  if (!flash_idle()) moved = ticks;
  if (state < STATE_OFFERED || state > STATE_LOCKED) return;
  if (ticks - moved > the_job.plan.idle_ms / TICK_MS) end_session(STATE_EXPIRED, ERROR_IDLE, 0);
}

/* Waits in RAM for a command, the next frame, a tick or the end of a flash operation. */
static void wait(uint32_t seen) {
  const volatile uint32_t *watch = mbox_watch();
  uint32_t look = may_fetch(), next = mbox_next();
  while (wake == seen && MB(COMMAND) == 0 && !(look && *watch == next)) {
  }
}

static void turn(void) {
  uint32_t seen = wake, command = MB(COMMAND);
  if (command != 0) {
    moved = ticks;
    obey(command);
    if (MB(COMMAND) == command) MB(COMMAND) = 0;
    return;
  }
  if (is_keyed_state(mbox_state()) && serve()) return;
  watch_clock();
  wait(seen);
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

/* Boot: returns 0, or 1 with the reason noted. */
static int start_hardware(void) {
  int slow = clock_start();
  tick_start(slow ? CLOCK_SLOW_HZ : CLOCK_FAST_HZ);
  irq_on();
  session_hash_stub();
  if (slow) return fail(ERROR_CLOCK_FAILED, RCC_CR);
  if (flash_start()) return 1;
  uint32_t failed = rng_start();
  return failed ? fail(ERROR_RANDOM_FAILED, failed) : 0;
}

void stub_main(void) {
  quiet_core();
  tick_feed();
  MB(VERSION) = STUB_VERSION;
  if (start_hardware()) refuse(reason.error, reason.detail);
  else mbox_set_state(STATE_WAITING);
  MB(MAGIC) = MB_MAGIC_VALUE;
  for (;;) turn();
}
