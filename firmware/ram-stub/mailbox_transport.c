/*
 * The transport port over the mailbox in SRAM: control page, frame ring, reply ring
 * (docs/mailbox.md).
 */
#include "mailbox_transport.h"

#include "crc32.h"
#include "util.h"

_Static_assert(MEM_FRAMES_SIZE == FRAME_SLOTS * FRAME_SLOT_SIZE &&
                   MEM_REPLIES_SIZE == REPLY_SLOTS * REPLY_SLOT_SIZE &&
                   MEM_CONTROL_SIZE >= MAILBOX_STUB_HASH + 64u &&
                   MEM_JOB_SIZE >= JOB_AT_PLAN + PLAN_MAX_BYTES,
               "rings, control page and job have their places");

/* What STATUS says. */
static struct {
  session_state state;
  uint32_t accepted; /* sequence of the last sealed command */
  uint32_t replied;  /* sequence of the last reply */
  uint32_t nak;      /* 1: the next sealed command was damaged, write it again */
} now;

static uint8_t *frame_end(uint32_t sequence) {
  return (uint8_t *)(MEM_FRAMES + (sequence % FRAME_SLOTS + 1) * FRAME_SLOT_SIZE);
}

static uint8_t *reply_end(uint32_t sequence) {
  return (uint8_t *)(MEM_REPLIES + (sequence % REPLY_SLOTS + 1) * REPLY_SLOT_SIZE);
}

static volatile uint32_t *sequence_word(uint8_t *slot_end) {
  return (volatile uint32_t *)(slot_end - TRAILER_SIZE + TRAILER_SEQUENCE);
}

/* What was stored before is in memory before what is stored after: for host and compiler. */
static void store_in_order(void) {
  __asm__ volatile("dmb" ::: "memory");
}

void transport_publish(void) {
  store_in_order();
  *mailbox_word(MAILBOX_STATUS) = now.nak << STATUS_NAK | now.state << STATUS_STATE |
                                  (now.replied & 0xFFu) << STATUS_REPLY |
                                  (now.accepted & 0xFFFFu) << STATUS_ACCEPTED;
}

/* Clears the sequence words of a ring whose first slot ends at `end`. */
static void clear_ring(uint8_t *end, uint32_t slots, uint32_t size) {
  for (; slots > 0; slots--, end += size) *sequence_word(end) = 0;
}

void transport_reset(void) {
  clear_ring(frame_end(0), FRAME_SLOTS, FRAME_SLOT_SIZE);
  clear_ring(reply_end(0), REPLY_SLOTS, REPLY_SLOT_SIZE);
  *mailbox_word(MAILBOX_REPLY_ACK) = 0;
  now.accepted = now.replied = now.nak = 0;
}

session_state transport_state(void) {
  return now.state;
}

void transport_show_state(session_state state) {
  now.state = state;
  transport_publish();
}

void transport_show_error(session_error error, uint32_t detail) {
  *mailbox_word(MAILBOX_DETAIL) = detail;
  *mailbox_word(MAILBOX_ERROR) = error;
}

void transport_show_activity(chip_activity activity, uint32_t argument) {
  *mailbox_word(MAILBOX_ACTIVITY) = activity | argument << 8;
}

uint32_t transport_next(void) {
  return now.accepted + 1;
}

const volatile uint32_t *transport_arrival(void) {
  return sequence_word(frame_end(transport_next()));
}

/* CRC over box || length || sequence; length is the word behind the box, the trailer's first. */
static uint32_t slot_crc(const uint8_t *box, uint32_t length) {
  crc32_begin();
  (void)crc32_add(box, length / 4 + 1);
  return crc32_add(box + length + TRAILER_SEQUENCE, 1);
}

static bool slot_good(const uint8_t *box, uint32_t length) {
  const uint8_t *trailer = box + length;
  return bf_load_le32(trailer + TRAILER_LENGTH) == length &&
         bf_load_le32(trailer + TRAILER_ZERO) == 0 &&
         bf_load_le32(trailer + TRAILER_SEQUENCE) == transport_next() &&
         bf_load_le32(trailer + TRAILER_CRC) == slot_crc(box, length);
}

uint32_t transport_receive(uint8_t *box) {
  const uint8_t *end =
      (const uint8_t *)(uintptr_t)transport_arrival() + TRAILER_SIZE - TRAILER_SEQUENCE;
  uint32_t length = *(const volatile uint32_t *)(end - TRAILER_SIZE + TRAILER_LENGTH);
  if (length == BOX_IMAGE || length == BOX_COMMAND) {
    bf_copy(box, end - TRAILER_SIZE - length, length + TRAILER_SIZE);
    if (!slot_good(box, length)) length = 0;
  } else {
    length = 0;
  }
  now.nak = length == 0;
  transport_publish();
  return length;
}

void transport_accept(void) {
  now.accepted++;
  transport_publish();
}

bool transport_can_reply(uint32_t sequence) {
  return (int32_t)(sequence - *mailbox_word(MAILBOX_REPLY_ACK)) <= (int32_t)REPLY_SLOTS;
}

void transport_reply(uint32_t sequence, const uint8_t *box) {
  uint8_t *trailer = reply_end(sequence) - TRAILER_SIZE;
  bf_copy(trailer - BOX_REPLY, box, BOX_REPLY);
  bf_store_le32(trailer + TRAILER_LENGTH, BOX_REPLY);
  bf_store_le32(trailer + TRAILER_ZERO, 0);
  bf_store_le32(trailer + TRAILER_SEQUENCE, sequence);
  bf_store_le32(trailer + TRAILER_CRC, slot_crc(trailer - BOX_REPLY, BOX_REPLY));
  now.replied = sequence;
}

/* -- Messages and words of the control page -- */

volatile uint32_t *transport_host_command(void) {
  return mailbox_word(MAILBOX_COMMAND);
}

const volatile uint32_t *transport_job_length(void) {
  return mailbox_word(MAILBOX_JOB_LENGTH);
}

void transport_take_job(uint8_t *to, uint32_t length) {
  bf_copy(to, (const uint8_t *)MEM_JOB, length);
}

void transport_take_m2(uint8_t m2[M2_SIZE]) {
  bf_copy(m2, mailbox_bytes(MAILBOX_M2), M2_SIZE);
}

void transport_give_program_hash(const uint8_t hash[64]) {
  bf_copy(mailbox_bytes(MAILBOX_STUB_HASH), hash, 64);
}

void transport_give_m1(const uint8_t m1[M1_SIZE]) {
  bf_copy(mailbox_bytes(MAILBOX_M1), m1, M1_SIZE);
}

void transport_give_m3(const uint8_t m3[M3_SIZE]) {
  bf_copy(mailbox_bytes(MAILBOX_M3), m3, M3_SIZE);
}

void transport_show_words(uint32_t words) {
  *mailbox_word(MAILBOX_WORDS) = words;
}

void transport_show_handshakes(uint32_t handshakes) {
  *mailbox_word(MAILBOX_HANDSHAKES) = handshakes;
}

void transport_announce(void) {
  store_in_order();
  *mailbox_word(MAILBOX_MAGIC) = MAILBOX_MAGIC_VALUE;
}
