/*
 * The life of the installer's sessions (session.h; docs/loader.md, "What it takes"). A poll takes
 * what the agent asks, serves a sealed command or watches the clock. A sealed IMAGE is opened where
 * it lies and comes to commands.c in pieces, so that 64 bytes of plaintext exist at a time.
 */
#include "session.h"

#include "abort.h"
#include "box_stream.h"
#include "boxes.h"
#include "commands.h"
#include "device_handshake.h"
#include "facts.h"
#include "flag.h"
#include "flash.h"
#include "job.h"
#include "journal_write.h"
#include "leave.h"
#include "millis.h"
#include "program.h"
#include "sealed.h"
#include "section.h"
#include "serial_transport.h"
#include "supply.h"
#include "tick.h"
#include "update.h"
#include "update_file.h"
#include "util.h"
#include "wipe.h"

#define IMAGE_HEAD 16u /* of a sealed IMAGE: kind, zero, count 2, address 4, zeros */
#define FREE_USES 16u  /* broken uses of the device's key before they are waited for */
#define WAIT_MS 1000u  /* after the first too many; it doubles with each */
#define WAIT_DOUBLINGS 8u

/* Commands an update file may hold. */
#define FILE_COMMANDS                                                     \
  (1u << SEALED_IMAGE | 1u << SEALED_ERASE | 1u << SEALED_FINAL | 1u << SEALED_END)

/*
 * A sealed command, or a piece of a sealed IMAGE; then what flash holds of it. Behind a command of
 * a file is room for the hash of the next frame.
 */
static SECTION_SECRET uint8_t plain[COMMAND_PLAIN_SIZE + UPDATE_FRAME_HASH]
    __attribute__((aligned(4)));
static sealed_command in_hand;
static bool pending; /* `in_hand` is opened, and not run */
/* Of the IMAGE in hand. */
static struct {
  bool under_way;
  uint32_t address;
  uint32_t left;     /* bytes of data still to come */
  uint32_t boxed;    /* bytes of plaintext still to be taken */
} image;

static bool refusing;        /* a failure now ends in refused */
static uint32_t handshakes;  /* begun, since the start */
static uint32_t last_sign;   /* millis() when agent or flash engine last did something */
static bool confirm_due;     /* M2 is good; the keys are used when the wait is over */
static uint32_t wait_from, wait_ms;
static host_command handling;

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
  bf_wipe(&in_hand, sizeof in_hand);
  bf_wipe(&image, sizeof image);
  pending = confirm_due = false;
  file_begin(false);
  serial_show_shaking(false);
  flash_stop();
}

/* Ends the session into `state`; with an error the controller is told, once, by a sealed ABORT. */
static void end_session(session_state state, session_error error, uint32_t detail) {
  if (error != ERROR_NONE && sealed_has_keys() && sealed_can_reply()) {
    uint32_t body[2] = {error, detail};
    sealed_reply(REPLY_ABORT, 0, transport_next() - (pending || image.under_way ? 0 : 1), body,
                 sizeof body);
  }
  close_session(state);
  transport_show_error(error, detail);
  session_enter(state);
  facts_refresh();
}

/* -- Handshake -- */

static void offer_handshake(void) {
  close_session(STATE_OFFERED);
  refusing = true;
  transport_reset();
  transport_show_error(ERROR_NONE, 0);
  transport_show_handshakes(++handshakes);
  serial_show_shaking(true);
  file_begin(serial_brought_file());
  job_take();
  flash_width psize = supply_psize(), most = job_plan()->psize;
  commands_begin(psize < most ? psize : most);
  if (file_in_hand())
    file_offer();
  else
    device_offer(handshakes, psize);
  refusing = false;
  serial_show_shaking(false);
  session_enter(STATE_OFFERED);
}

/* The vendor has proven himself; the device's keys wait where too many uses were broken off. */
static void await_use(void) {
  serial_show_shaking(true);
  uint32_t broken = journal_broken_uses();
  uint32_t doublings = broken < FREE_USES ? 0 : broken - FREE_USES;
  if (doublings > WAIT_DOUBLINGS) doublings = WAIT_DOUBLINGS;
  wait_ms = broken < FREE_USES ? 0 : WAIT_MS << doublings;
  wait_from = millis();
  confirm_due = true;
}

static void check_answer(void) {
  serial_show_shaking(true);
  device_check();
  await_use();
}

/* Looks for this device's entry in the next packet. True when there was one. */
static bool look_for_entry(void) {
  uint32_t length;
  const uint8_t *entries = serial_next_box(&length);
  if (entries == 0) return false;
  if (length % UPDATE_ENTRY != 0) session_abort(ERROR_NO_ENTRY, 0);
  if (file_find_entry(entries, length)) await_use();
  leave_later();
  transport_accept();
  return true;
}

static void confirm_when_due(void) {
  last_sign = millis();
  if (!millis_over(wait_from, wait_ms)) return;
  confirm_due = false;
  if (file_in_hand())
    file_open();
  else
    device_confirm();
  serial_show_shaking(false);
  session_enter(STATE_ACTIVE);
}

static void handle_host_command(host_command command) {
  session_state state = session_current();
  /* what was refused before the first job is the chip's: clock, random generator */
  bool refused_job = state == STATE_REFUSED && handshakes != 0;
  if (command == HOST_COMMAND_JOB &&
      ((state >= STATE_WAITING && state <= STATE_EXPIRED) || refused_job))
    offer_handshake();
  if (command == HOST_COMMAND_M2 && state == STATE_OFFERED && !confirm_due && !file_in_hand())
    check_answer();
  if (command == HOST_COMMAND_ABORT && state >= STATE_WAITING && state <= STATE_ABORTED)
    end_session(STATE_EXPIRED, ERROR_AGENT_STOPPED, 0);
}

/* -- Sealed commands -- */

static bool is_zero(const uint8_t *from, uint32_t bytes) {
  uint32_t any = 0;
  while (bytes-- > 0) any |= *from++;
  return any == 0;
}

static void malformed(uint32_t kind) {
  session_abort(ERROR_MALFORMED_COMMAND, kind);
}

/* The head of an IMAGE, which says how much of it is data. */
static void begin_image(void) {
  uint32_t count = plain[2] | (uint32_t)plain[3] << 8;
  if (plain[0] != SEALED_IMAGE || plain[1] != 0 || !is_zero(plain + 8, 8) || count < 4 ||
      count > IMAGE_DATA_MOST || (count & 3u) != 0)
    malformed(plain[0]);
  image.address = bf_load_le32(plain + 4);
  image.left = count;
  image.boxed = IMAGE_PLAIN_SIZE - IMAGE_HEAD;
  image.under_way = true;
  in_hand.size = PROGRAM_IMAGE_PLAIN;
}

/* The end of a box: behind a command of a file the hash of the next frame. */
static void take_last(uint8_t *to, uint32_t bytes) {
  uint32_t all = file_in_hand() ? bytes + UPDATE_FRAME_HASH : bytes;
  for (uint32_t at = 0; at < all; at += BOX_STREAM_PART)
    box_stream_take(to + at, all - at < BOX_STREAM_PART ? all - at : BOX_STREAM_PART);
  if (file_in_hand()) file_expect(to + bytes);
}

/* The next piece of the IMAGE as a sealed command of its own; what is behind the data is zero. */
static void take_piece(void) {
  uint32_t most = image.boxed == IMAGE_PLAIN_SIZE - IMAGE_HEAD ? BOX_STREAM_FIRST - IMAGE_HEAD
                                                               : BOX_STREAM_PART;
  uint32_t bytes = image.boxed < most ? image.boxed : most;
  uint8_t *data = plain + IMAGE_HEAD;
  uint32_t count = image.left < bytes ? image.left : bytes;
  if (bytes == image.boxed)
    take_last(data, bytes);
  else if (most == BOX_STREAM_PART)
    box_stream_take(data, bytes);
  if (!is_zero(data + count, bytes - count)) malformed(SEALED_IMAGE);
  plain[0] = SEALED_IMAGE;
  plain[2] = (uint8_t)count;
  plain[3] = 0;
  bf_store_le32(plain + 4, image.address);
  image.address += count;
  image.left -= count;
  image.boxed -= bytes;
  pending = count > 0;
}

/*
 * Opens the next box if it has come; aborts when it does not open. A frame that is not the one
 * expected is dropped unopened.
 */
static void open_next(void) {
  uint8_t nonce[24];
  uint32_t length;
  const uint8_t *box;
  while ((box = serial_next_box(&length)) != 0 && file_in_hand() && !file_expects(box, length))
    transport_accept();
  if (box == 0) return;
  if (file_in_hand()) device_wait(); /* its keys are the same at each try */
  const uint8_t *key = boxes_next(nonce);
  if (file_in_hand()) nonce[1] = UPDATE_PURPOSE_FRAME;
  if (!box_stream_open(box, length, nonce, key)) session_abort(ERROR_BOX_FAILED, boxes_taken());
  bf_wipe(&in_hand, sizeof in_hand);
  bf_wipe(plain, sizeof plain);
  in_hand.bytes = plain;
  in_hand.size = COMMAND_PLAIN_SIZE;
  in_hand.sequence = transport_next();
  box_stream_take(plain, BOX_STREAM_FIRST);
  if (file_in_hand() && (FILE_COMMANDS >> (plain[0] & 31u) & 1u) == 0) malformed(plain[0]);
  if (length == BOX_IMAGE || length == UPDATE_LONG_FRAME) {
    begin_image();
    take_piece();
    return;
  }
  take_last(plain + BOX_STREAM_FIRST, COMMAND_PLAIN_SIZE - BOX_STREAM_FIRST);
  pending = true;
}

/* What is in hand is done. */
static void accept(void) {
  bf_wipe(plain, sizeof plain);
  box_stream_close();
  image.under_way = false;
  last_sign = millis();
  if (file_in_hand()) serial_show_frame();
  transport_accept();
  if (in_hand.last) {
    end_session(STATE_ENDED, ERROR_NONE, 0);
    leave_after_end();
  }
}

/* All of an IMAGE takes up to half a second, in which commands come and somebody may ask. */
static void wait_for_flash(void) {
  while (!flash_idle()) {
    (void)serial_work();
    flash_check();
  }
  flash_check();
}

/*
 * Programs the pieces of an IMAGE one after the other, to its end; not while a sector is erased,
 * for the line has to be listened to meanwhile.
 */
static void run_image(void) {
  if (!flash_idle()) return;
  while (image.under_way) {
    if (pending && !commands_run(&in_hand, true)) return;
    pending = false;
    wait_for_flash();
    bf_wipe(plain, PROGRAM_IMAGE_PLAIN);
    if (image.boxed == 0)
      accept();
    else
      take_piece();
  }
}

/* Sealed commands, replies and troubles of a session. True when there may be more to do at once. */
static bool serve(void) {
  flash_check();
  commands_finish_erase();
  if (!pending && !image.under_way) open_next();
  if (image.under_way) {
    run_image();
    return !image.under_way;
  }
  bool programs = pending && plain[0] == SEALED_IMAGE;
  if (!pending || (programs && !flash_idle()) || !commands_run(&in_hand, true)) return false;
  pending = false;
  if (in_hand.operation != 0) wait_for_flash(); /* a short IMAGE */
  accept();
  return true;
}

/* -- The main loop -- */

static void watch_clock(void) {
  session_state state = session_current();
  if (!flash_idle()) last_sign = millis();
  if (state >= STATE_OFFERED && state <= STATE_ABORTED &&
      millis_over(last_sign, job_plan()->idle_ms))
    end_session(STATE_EXPIRED, ERROR_IDLE, 0);
  leave_if_due(is_keyed_state(session_current()) || confirm_due);
}

static void host_command_done(void) {
  if (*transport_host_command() == handling) *transport_host_command() = HOST_COMMAND_NONE;
  handling = HOST_COMMAND_NONE;
}

static void poll(void) {
  uint32_t seen = wake_count;
  if (serial_work()) {
    last_sign = millis();
    return;
  }
  handling = *transport_host_command();
  if (handling != HOST_COMMAND_NONE) {
    handle_host_command(handling);
    host_command_done();
    return;
  }
  if (confirm_due)
    confirm_when_due();
  else if (file_in_hand() && session_current() == STATE_OFFERED && look_for_entry())
    return;
  if (is_keyed_state(session_current()) && serve()) return;
  watch_clock();
  serial_wait(&wake_count, seen);
}

void session_poll_forever(void) {
  for (;;) poll();
}

void session_aborted(session_error error, uint32_t detail) {
  end_session(refusing || session_current() < STATE_OFFERED ? STATE_REFUSED : STATE_ABORTED, error,
              detail);
  refusing = false;
  if (handling != HOST_COMMAND_NONE) host_command_done();
  session_poll_forever();
}
