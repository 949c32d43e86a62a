/* Transport over the serial link: see serial_transport.h. */
#include "serial_transport.h"

#include "abort.h"
#include "facts.h"
#include "link.h"
#include "millis.h"
#include "section.h"
#include "serial.h"
#include "update.h"
#include "update_file.h"
#include "util.h"

#define SLOTS (LINK_BUFFERS - 1u) /* sealed commands that may wait; one buffer is being filled */
#define ORDER 32u /* a power of 2, and not less than SLOTS */
#define REPLIES LINK_REPLIES_KEPT
#define M1_LONGEST 168u
#define HASH 64u

/* What STATUS tells. */
static struct {
  session_state state;
  uint32_t shaking; /* LINK_STATUS_SHAKING or 0 */
  uint32_t lost;    /* LINK_STATUS_LOST or 0 */
  uint32_t error;
  uint32_t detail;
  uint32_t accepted;
  uint32_t replied;
  uint32_t received;
  uint32_t handshakes;
} now;
static volatile uint32_t words;    /* programmed; of the flash interrupt */
static volatile uint32_t activity; /* chip_activity, argument << 8; of the flash interrupt */

static uint32_t shown[3]; /* of STATUS as it was sent last: what must not change unsaid */
static uint32_t sent_at;  /* millis() of the last STATUS */
static uint32_t heard_at; /* millis() of the last good packet */

static volatile uint32_t asked;     /* host_command */
static volatile uint32_t job_bytes; /* length of the job */
static SECTION_LARGE uint8_t job[PACKET_JOB_MOST] __attribute__((aligned(4)));
static bool brought_file; /* `job` is a FILE */
static SECTION_LARGE uint8_t m2[M2_SIZE];
static SECTION_LARGE uint8_t m1[M1_LONGEST + HASH];
static uint32_t m1_bytes; /* 0: there is none to send again */
static SECTION_LARGE uint8_t m3[M3_SIZE];
static bool m3_given;
static SECTION_BUFFER uint8_t replies[REPLIES][BOX_REPLY];
static uint32_t fetched; /* sequence of the last reply the agent has taken */

/* Of the sealed command with sequence n, at n % ORDER: its buffer and its box's length. */
static struct {
  uint8_t buffer;
  uint16_t length;
} waiting[ORDER];

/* -- Sending -- */

static void send(uint32_t type, const void *body, uint32_t bytes) {
  bf_part part = {body, bytes};
  link_send(type, &part, 1);
}

/* What makes a STATUS due when it changes. */
static void look(uint32_t seen[3]) {
  seen[0] = now.state | now.shaking | now.lost | now.error << 8;
  seen[1] = now.accepted;
  seen[2] = now.replied;
}

static void send_status(void) {
  uint8_t body[LINK_STATUS_SIZE];
  uint32_t doing = activity;
  body[LINK_STATUS_AT_STATE] = (uint8_t)(now.state | now.shaking | now.lost);
  body[LINK_STATUS_AT_ACTIVITY] = (uint8_t)doing;
  body[LINK_STATUS_AT_ARGUMENT] = (uint8_t)(doing >> 8);
  body[LINK_STATUS_AT_ERROR] = (uint8_t)now.error;
  bf_store_le32(body + LINK_STATUS_AT_ACCEPTED, now.accepted);
  bf_store_le32(body + LINK_STATUS_AT_CREDIT, now.accepted + SLOTS);
  bf_store_le32(body + LINK_STATUS_AT_REPLIED, now.replied);
  bf_store_le32(body + LINK_STATUS_AT_WORDS, words);
  bf_store_le32(body + LINK_STATUS_AT_DETAIL, now.detail);
  bf_store_le32(body + LINK_STATUS_AT_HANDSHAKES, now.handshakes);
  bf_store_le32(body + LINK_STATUS_AT_RECEIVED, now.received);
  bf_store_le32(body + LINK_STATUS_AT_DROPPED, link_dropped());
  send(PACKET_STATUS, body, sizeof body);
  look(shown);
  sent_at = millis();
}

/* Nothing is told before the first knock. */
static bool status_changed(void) {
  uint32_t seen[3];
  look(seen);
  return link_knocked() && (seen[0] != shown[0] || seen[1] != shown[1] || seen[2] != shown[2]);
}

/* STATUS by itself: on change, and while something goes on. */
static void follow_status(void) {
  if (!link_knocked() || !millis_over(sent_at, LINK_MS_STATUS_EVERY)) return;
  bool changed = status_changed();
  bool busy = (activity & 0xFFu) != ACTIVITY_IDLE || now.shaking != 0;
  if (changed || (busy && millis_over(sent_at, LINK_MS_STATUS_LEAST))) send_status();
}

static void send_ident(void) {
  uint8_t body[IDENT_SIZE];
  facts_write_ident(body, now.state, SLOTS);
  send(PACKET_IDENT, body, sizeof body);
}

void link_answer_knock(void) {
  heard_at = millis();
  send_ident();
}

static void send_reply(uint32_t sequence) {
  bf_part parts[] = {{(const uint8_t *)&sequence, sizeof sequence},
                     {replies[sequence % REPLIES], BOX_REPLY}};
  link_send(PACKET_REPLY, parts, 2);
}

/* -- Packets -- */

static bool is_session(void) {
  return now.state >= STATE_ACTIVE && now.state <= STATE_ABORTED;
}

/* In order, once, as far as there is room. */
static void take_command(bool of_file, const uint8_t *body, uint32_t length, uint32_t buffer) {
  uint32_t sequence = bf_load_le32(body), next = now.received + 1;
  if (of_file != brought_file) return;
  if (now.state < (of_file ? STATE_OFFERED : STATE_ACTIVE) || now.state > STATE_LOCKED) return;
  if ((int32_t)(sequence - next) > 0) now.lost = LINK_STATUS_LOST;
  if (sequence != next || next - now.accepted > SLOTS) return;
  waiting[next % ORDER].buffer = (uint8_t)buffer;
  waiting[next % ORDER].length = (uint16_t)(length - SEQUENCE_SIZE);
  link_keep(buffer);
  now.received = next;
  now.lost = 0;
}

static void send_again(uint32_t type, uint32_t sequence) {
  if (type == PACKET_IDENT)
    send_ident();
  else if (type == PACKET_M1 && now.state == STATE_OFFERED && m1_bytes != 0)
    send(PACKET_M1, m1, m1_bytes);
  else if (type == PACKET_M3 && is_session() && m3_given)
    send(PACKET_M3, m3, sizeof m3);
  else if (type == PACKET_REPLY && is_session() && !brought_file &&
           sequence - fetched - 1u < now.replied - fetched)
    send_reply(sequence);
  else
    send_status();
}

static void take_fetched(uint32_t sequence) {
  if (is_session() && sequence - fetched <= now.replied - fetched) fetched = sequence;
}

/*
 * Sizes of a body by type: PACKET_ASK_IDENT and so on; COMMAND and FRAME have two, JOB and FILE are
 * on 4 bytes, ENTRIES are whole.
 */
static bool size_good(uint32_t type, uint32_t length) {
  static const uint16_t SIZES[][2] = {
      {PACKET_ASK_IDENT_SIZE, PACKET_ASK_IDENT_SIZE}, {PACKET_JOB_LEAST, PACKET_JOB_MOST},
      {PACKET_M2_SIZE, PACKET_M2_SIZE},               {PACKET_COMMAND_LEAST, PACKET_COMMAND_MOST},
      {PACKET_FETCHED_SIZE, PACKET_FETCHED_SIZE},     {PACKET_AGAIN_SIZE, PACKET_AGAIN_SIZE},
      {PACKET_ABORT_SIZE, PACKET_ABORT_SIZE},         {PACKET_BAUD_SIZE, PACKET_BAUD_SIZE},
      {PACKET_FILE_LEAST, PACKET_FILE_MOST},           {PACKET_ENTRIES_LEAST, PACKET_ENTRIES_MOST},
      {PACKET_FRAME_LEAST, PACKET_FRAME_MOST}};
  if (type < PACKET_ASK_IDENT || type > PACKET_FRAME) return false;
  const uint16_t *size = SIZES[type - PACKET_ASK_IDENT];
  if (type == PACKET_COMMAND || type == PACKET_FRAME)
    return length == size[0] || length == size[1];
  if (type == PACKET_ENTRIES && (length - SEQUENCE_SIZE) % UPDATE_ENTRY != 0) return false;
  bool on_words = type == PACKET_JOB || type == PACKET_FILE;
  return length >= size[0] && length <= size[1] && (!on_words || (length & 3u) == 0);
}

/* A header becomes a job: its plan lies as far in as that of a job. */
static void take_job(bool is_file, const uint8_t *body, uint32_t length) {
  uint32_t from = is_file ? FILE_AT_HEADER : 0;
  bf_store_le32(job, JOB_MAGIC);
  bf_store_le32(job + JOB_AT_LENGTH, length + from);
  bf_copy(job + from, body, length);
  job_bytes = length + from;
  brought_file = is_file;
  asked = HOST_COMMAND_JOB;
}

bool link_packet(uint32_t type, const uint8_t *body, uint32_t length, uint32_t buffer) {
  if (!size_good(type, length)) return false;
  heard_at = millis();
  if (type == PACKET_ASK_IDENT) {
    send_ident();
  } else if (type == PACKET_JOB || type == PACKET_FILE) {
    take_job(type == PACKET_FILE, body, length);
  } else if (type == PACKET_M2 && now.state == STATE_OFFERED) {
    bf_copy(m2, body, length);
    asked = HOST_COMMAND_M2;
  } else if (type == PACKET_COMMAND || type >= PACKET_ENTRIES) {
    take_command(type != PACKET_COMMAND, body, length, buffer);
  } else if (type == PACKET_FETCHED) {
    take_fetched(bf_load_le32(body));
  } else if (type == PACKET_AGAIN) {
    send_again(body[AGAIN_AT_TYPE], bf_load_le32(body + AGAIN_AT_SEQUENCE));
  } else if (type == PACKET_ABORT) {
    asked = HOST_COMMAND_ABORT;
  } else if (type == PACKET_BAUD) {
    link_try_rate(bf_load_le32(body + BAUD_AT_RATE));
  }
  return true;
}

bool serial_work(void) {
  bool any = asked == HOST_COMMAND_NONE && link_poll();
  follow_status();
  return any;
}

void serial_wait(const volatile uint32_t *changes, uint32_t seen) {
  if (asked == HOST_COMMAND_NONE && !status_changed()) link_wait(changes, seen);
}

void serial_look(void) {
  (void)serial_work();
  if (asked != HOST_COMMAND_NONE) session_abort(ERROR_AGENT_STOPPED, 0);
}

bool serial_silent(uint32_t ms) {
  return millis_over(heard_at, ms);
}

bool serial_all_fetched(void) {
  return fetched == now.replied;
}

/* -- The port -- */

void transport_reset(void) {
  for (uint32_t n = now.accepted + 1; n - now.accepted <= now.received - now.accepted; n++)
    link_release(waiting[n % ORDER].buffer);
  now.accepted = now.received = now.replied = now.lost = fetched = 0;
  m1_bytes = 0;
  m3_given = false;
}

uint32_t transport_next(void) {
  return now.accepted + 1;
}

const uint8_t *serial_next_box(uint32_t *length) {
  uint32_t next = transport_next();
  if (now.received - now.accepted == 0) return 0;
  *length = waiting[next % ORDER].length;
  return link_body(waiting[next % ORDER].buffer) + SEQUENCE_SIZE;
}

void transport_accept(void) {
  now.accepted++;
  link_release(waiting[now.accepted % ORDER].buffer);
}

bool transport_can_reply(uint32_t sequence) {
  return sequence - fetched <= REPLIES;
}

void transport_reply(uint32_t sequence, const uint8_t *box) {
  bf_copy(replies[sequence % REPLIES], box, BOX_REPLY);
  now.replied = sequence;
  send_reply(sequence);
}

void transport_publish(void) {
  follow_status();
}

volatile uint32_t *transport_host_command(void) {
  return &asked;
}

const volatile uint32_t *transport_job_length(void) {
  return &job_bytes;
}

void transport_take_job(uint8_t *to, uint32_t length) {
  bf_copy(to, job, length);
}

void transport_take_m2(uint8_t to[M2_SIZE]) {
  bf_copy(to, m2, M2_SIZE);
}

void serial_give_m1(const uint8_t *message, uint32_t length) {
  bf_copy(m1, message, length);
  bf_copy(m1 + length, facts_loader_hash(), HASH);
  m1_bytes = length + HASH;
  send(PACKET_M1, m1, m1_bytes);
}

void transport_give_m3(const uint8_t message[M3_SIZE]) {
  bf_copy(m3, message, M3_SIZE);
  m3_given = true;
  send(PACKET_M3, m3, sizeof m3);
}

session_state transport_state(void) {
  return now.state;
}

void transport_show_state(session_state state) {
  now.state = state;
}

bool serial_brought_file(void) {
  return brought_file;
}

void serial_show_frame(void) {
  now.replied++;
}

void serial_show_shaking(bool shaking) {
  now.shaking = shaking ? LINK_STATUS_SHAKING : 0;
}

void transport_show_error(session_error error, uint32_t detail) {
  now.error = error;
  now.detail = detail;
}

void transport_show_activity(chip_activity doing, uint32_t argument) {
  activity = doing | argument << 8;
}

void transport_show_words(uint32_t count) {
  words = count;
}

void transport_show_handshakes(uint32_t handshakes) {
  now.handshakes = handshakes;
}
