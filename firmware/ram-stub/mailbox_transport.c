/* Mailbox access: see mailbox_transport.h. */
#include "mailbox_transport.h"

#include "crc32.h"
#include "util.h"

static struct {
  uint32_t state;
  uint32_t accepted;
  uint32_t replied;
  uint32_t again;
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

void mbox_publish(void) {
  MB(STATUS) = now.again << STATUS_AGAIN | now.state << STATUS_STATE | (now.replied & 0xFFu) << STATUS_REPLY |
               (now.accepted & 0xFFFFu);
}

/* Clears the sequence words of a ring whose first slot ends at `end`. */
static void clear_ring(uint8_t *end, uint32_t slots, uint32_t size) {
  for (; slots > 0; slots--, end += size) *sequence_word(end) = 0;
}

void mbox_reset(void) {
  clear_ring(frame_end(0), FRAME_SLOTS, FRAME_SLOT_SIZE);
  clear_ring(reply_end(0), REPLY_SLOTS, REPLY_SLOT_SIZE);
  MB(REPLY_ACK) = 0;
  now.accepted = now.replied = now.again = 0;
}

uint32_t mbox_state(void) {
  return now.state;
}

void mbox_set_state(uint32_t state) {
  now.state = state;
  mbox_publish();
}

void mbox_set_error(uint32_t error, uint32_t detail) {
  MB(DETAIL) = detail;
  MB(ERROR) = error;
}

void mbox_activity(uint32_t activity, uint32_t argument) {
  MB(ACTIVITY) = activity | argument << 8;
}

uint32_t mbox_next(void) {
  return now.accepted + 1;
}

const volatile uint32_t *mbox_watch(void) {
  return sequence_word(frame_end(mbox_next()));
}

/* CRC over box || length || sequence; the trailer lies behind the box. */
static uint32_t slot_crc(const uint8_t *box, uint32_t length) {
  crc32_begin();
  (void)crc32_add(box, length / 4 + 1);
  return crc32_add(box + length + TRAILER_SEQUENCE, 1);
}

static int slot_good(const uint8_t *box, uint32_t length) {
  const uint8_t *trailer = box + length;
  return bf_load_le32(trailer + TRAILER_LENGTH) == length && bf_load_le32(trailer + TRAILER_ZERO) == 0 &&
         bf_load_le32(trailer + TRAILER_SEQUENCE) == mbox_next() &&
         bf_load_le32(trailer + TRAILER_CRC) == slot_crc(box, length);
}

uint32_t mbox_fetch(uint8_t *box) {
  const uint8_t *end = (const uint8_t *)(uintptr_t)mbox_watch() + TRAILER_SIZE - TRAILER_SEQUENCE;
  uint32_t length = *(const volatile uint32_t *)(end - TRAILER_SIZE + TRAILER_LENGTH);
  if (length == BOX_IMAGE || length == BOX_COMMAND) {
    bf_copy(box, end - TRAILER_SIZE - length, length + TRAILER_SIZE);
    if (!slot_good(box, length)) length = 0;
  } else {
    length = 0;
  }
  now.again = length == 0;
  mbox_publish();
  return length;
}

void mbox_accept(void) {
  now.accepted++;
  mbox_publish();
}

int mbox_room(uint32_t sequence) {
  return (int32_t)(sequence - MB(REPLY_ACK)) <= (int32_t)REPLY_SLOTS;
}

void mbox_reply(uint32_t sequence, const uint8_t *box) {
  uint8_t *trailer = reply_end(sequence) - TRAILER_SIZE;
  bf_copy(trailer - BOX_REPLY, box, BOX_REPLY);
  bf_store_le32(trailer + TRAILER_LENGTH, BOX_REPLY);
  bf_store_le32(trailer + TRAILER_ZERO, 0);
  bf_store_le32(trailer + TRAILER_SEQUENCE, sequence);
  bf_store_le32(trailer + TRAILER_CRC, slot_crc(trailer - BOX_REPLY, BOX_REPLY));
  now.replied = sequence;
}
