/*
 * The main loop and the state table of docs/mailbox.md. A poll handles a host command, serves a
 * sealed command or watches the clock; then the loop waits on words in RAM, so that nothing but the
 * host, a tick or the flash engine moves it.
 */
#include "session.h"

#include "abort.h"
#include "commands.h"
#include "flag.h"
#include "flash.h"
#include "job.h"
#include "sealed.h"
#include "secretbox.h"
#include "section.h"
#include "supply.h"
#include "tick.h"
#include "transport.h"
#include "util.h"
#include "wipe.h"

#define BUFFERS 3u
#define BUFFER_WORDS (TRANSPORT_BOX_BUFFER / 4u)

/* Of a sealed command each: its box, then its plaintext, then what flash holds of it. */
static SECTION_SECRET uint32_t buffers[BUFFERS][BUFFER_WORDS];
/* Those with an operation are in the flash engine's hands. */
static SECTION_LARGE sealed_command in_hand[BUFFERS];
static sealed_command *pending; /* opened, not run; or NULL */

static flag have_job;
static host_command handling; /* the host command at work, or none */
static flag refusing;         /* a failure now ends in refused */
static uint32_t handshakes; /* begun, in the life of the program */
static flag box_failed;    /* the last session ended by a box that did not open */
static uint32_t retries;   /* handshakes after such an end */
static uint32_t last_sign; /* tick in which the host or the flash engine last did something */
/* tick, counted from 1, in which the next sealed command was found damaged; 0: it was not */
static uint32_t damaged_in_tick;

session_state session_current(void) {
  return transport_state();
}

void session_enter(session_state state) {
  transport_show_state(state);
}

static bool is_keyed_state(session_state state) {
  return state >= STATE_ACTIVE && state <= STATE_LOCKED;
}

/* Wipes and forgets the session on the way to `next`; flash is locked afterwards. */
static void close_session(session_state next) {
  flash_drop();
  wipe_secrets(next);
  bf_wipe(in_hand, sizeof in_hand);
  pending = 0;
  transport_publish(); /* a sealed ABORT, before flash keeps the rest waiting */
  flash_stop();
}

/*
 * Ends the session into `state`; with an error the controller is told, once, by a sealed ABORT,
 * which answers the pending sealed command or else the last one accepted.
 */
static void end_session(session_state state, session_error error, uint32_t detail) {
  if (error != ERROR_NONE && sealed_has_keys() && sealed_can_reply()) {
    uint32_t body[2] = {error, detail};
    sealed_reply(REPLY_ABORT, 0, transport_next() - (pending == 0), body, sizeof body);
  }
  close_session(state);
  box_failed = error == ERROR_BOX_FAILED;
  transport_show_error(error, detail);
  session_enter(state);
}

static void offer_handshake(void) {
  close_session(STATE_OFFERED);
  refusing = true;
  retries += box_failed;
  box_failed = false;
  if (handshakes == HANDSHAKES_IN_ALL || retries > HANDSHAKES_AFTER_FAILED_BOX)
    session_abort(ERROR_TOO_MANY_HANDSHAKES, 0);
  transport_show_handshakes(++handshakes);
  transport_reset();
  transport_show_error(ERROR_NONE, 0);
  damaged_in_tick = 0;
  flash_width psize = supply_psize(), most = job_plan()->psize;
  commands_begin(psize < most ? psize : most);
  sealed_offer(handshakes, psize);
  refusing = false;
  session_enter(STATE_OFFERED);
}

static void handle_host_command(host_command command) {
  session_state state = session_current();
  if (command == HOST_COMMAND_JOB && state == STATE_WAITING) {
    job_take();
    have_job = true;
    offer_handshake();
  }
  if (command == HOST_COMMAND_M2 && state == STATE_OFFERED) {
    sealed_confirm();
    session_enter(STATE_ACTIVE);
  }
  if (command == HOST_COMMAND_ABORT && state >= STATE_WAITING && state <= STATE_ABORTED)
    end_session(STATE_EXPIRED, ERROR_AGENT_STOPPED, 0);
  if (command == HOST_COMMAND_HANDSHAKE && have_job && state >= STATE_OFFERED &&
      state <= STATE_EXPIRED)
    offer_handshake();
}

/* A place the flash engine does not need, or NULL. */
static sealed_command *find_free(void) {
  for (uint32_t i = 0; i < BUFFERS; i++)
    if (in_hand[i].operation == 0) return &in_hand[i];
  return 0;
}

/* The sealed command that has been in the engine's hands longest, or NULL. */
static sealed_command *find_oldest(void) {
  sealed_command *oldest = 0;
  for (uint32_t i = 0; i < BUFFERS; i++)
    if (in_hand[i].operation != 0 &&
        (oldest == 0 || (int32_t)(in_hand[i].operation - oldest->operation) < 0))
      oldest = &in_hand[i];
  return oldest;
}

/* True when a sealed command may be looked for now: a damaged one is read again a tick later. */
static bool may_receive(void) {
  return is_keyed_state(session_current()) && pending == 0 && find_free() != 0 &&
         damaged_in_tick != tick_count + 1;
}

/* Receives and opens the next sealed command if it is there; aborts when its box does not open. */
static void receive_command(void) {
  if (!may_receive() || *transport_arrival() != transport_next()) return;
  sealed_command *command = find_free();
  uint8_t *box = (uint8_t *)buffers[command - in_hand];
  uint32_t length = transport_receive(box);
  damaged_in_tick = length == 0 ? tick_count + 1 : 0;
  if (length == 0) return;
  bf_wipe(command, sizeof *command);
  command->bytes = box;
  command->size = length - BF_BOX_TAG;
  command->sequence = transport_next();
  pending = command;
  sealed_open(box, length);
}

static void release(sealed_command *command) {
  bf_wipe(command->bytes, command->size);
  command->operation = 0;
}

/* Runs the sealed command that is pending. True when there was something to do. */
static bool run_pending(void) {
  sealed_command *command = pending;
  if (command == 0 || !commands_run(command, find_oldest() == 0)) return false;
  if (command->operation == 0) release(command);
  pending = 0;
  last_sign = tick_count;
  transport_accept();
  if (command->last) end_session(STATE_ENDED, ERROR_NONE, 0);
  return true;
}

/* Hashes what has come back from flash. True when there was something. */
static bool hash_programmed(void) {
  sealed_command *command = find_oldest();
  if (command == 0 || !flash_done(command->operation)) return false;
  commands_follow(command);
  release(command);
  return true;
}

/* Sealed commands, replies and troubles of a session. True when there may be more to do at once. */
static bool serve(void) {
  flash_check();
  commands_finish_erase();
  receive_command();
  return run_pending() || hash_programmed();
}

/* The idle limit of the plan, in ticks: as long as there is a chip key. */
static void watch_clock(void) {
  session_state state = session_current();
  if (!flash_idle()) last_sign = tick_count;
  if (!have_job || state > STATE_ABORTED) return;
  if (tick_count - last_sign > job_plan()->idle_ms / TICK_MS)
    end_session(STATE_EXPIRED, ERROR_IDLE, 0);
}

/*
 * Waits in RAM for a host command, the next sealed command, a tick or the end of a flash
 * operation.
 */
static void wait_for_event(uint32_t seen) {
  const volatile uint32_t *arrival = transport_arrival();
  flag look = may_receive();
  uint32_t next = transport_next();
  while (wake_count == seen && *transport_host_command() == HOST_COMMAND_NONE &&
         !(look && *arrival == next)) {
  }
}

/* Tells the host that its command is done, unless it has written another one meanwhile. */
static void host_command_done(void) {
  if (*transport_host_command() == handling) *transport_host_command() = HOST_COMMAND_NONE;
  handling = HOST_COMMAND_NONE;
}

static void poll(void) {
  uint32_t seen = wake_count;
  handling = *transport_host_command();
  if (handling != HOST_COMMAND_NONE) {
    last_sign = tick_count;
    handle_host_command(handling);
    host_command_done();
    return;
  }
  if (is_keyed_state(session_current()) && serve()) return;
  watch_clock();
  wait_for_event(seen);
}

void session_poll_forever(void) {
  transport_announce();
  for (;;) poll();
}

void session_aborted(session_error error, uint32_t detail) {
  end_session(refusing || session_current() < STATE_OFFERED ? STATE_REFUSED : STATE_ABORTED, error,
              detail);
  if (handling != HOST_COMMAND_NONE) host_command_done();
  session_poll_forever();
}
