/* Packets on the serial line: see link.h. */
#include "link.h"

#include "clock.h"
#include "facts.h"
#include "line.h"
#include "millis.h"
#include "section.h"
#include "serial.h"
#include "uart.h"
#include "util.h"

#define BUFFER_BYTES ((3u + PACKET_MOST + 3u) & ~3u) /* the type at 3, so that the body is at 4 */
#define TYPE_AT 3u
#define OUT_RING 2048u
#define OUT_MOST 512u /* of a packet the loader sends, coded */
#define KNOCK_BYTES (KNOCK_MEASURED + KNOCK_NAME_BYTES)
#define KNOCK_NAME_BYTES (sizeof KNOCK_NAME - 1)
#define NAME_REST (KNOCK_NAME_BYTES - 1u)
#define NAME_MS 50u          /* the name must have come so long after the measurement */
#define LINE_PATIENCE 16000u /* cycles in which a byte that was heard must go on: 100 us */
#define SLOWEST 9600u
#define BLOCK_FULL 0xFFu

typedef enum { SEARCHING, NAMED, LINKED, TRYING } line_state;

static line_state state;
static uint32_t since;         /* millis() of the last change of state */
static uint32_t bit_cycles;    /* core cycles of LINE_BITS bits */
static uint32_t bit_cycles_before; /* while TRYING: to go back to */
static bool measured;          /* while TRYING: the new rate was */
static bool knocked;
static uint32_t dropped;
static uint32_t dropped_in_row;

/* The packet that is coming in. */
static SECTION_BUFFER uint8_t buffers[LINK_BUFFERS][BUFFER_BYTES] __attribute__((aligned(4)));
static uint32_t kept;    /* buffers, a bit each */
static uint32_t filling; /* index of a buffer */
static uint32_t length;  /* bytes decoded: type, body, checksum */
static uint32_t raw;     /* bytes since the last zero */
static uint8_t code, left; /* COBS: code of the block, its bytes still to come */
static bool broken;      /* it is too long */
static uint8_t first[KNOCK_BYTES]; /* bytes since the last zero, as they came */
static uint8_t last[NAME_REST]; /* the last ones that came */

static SECTION_BUFFER uint8_t out_ring[OUT_RING];
static uint32_t out_from, out_to; /* counts of bytes */

/* -- Checksum -- */

/* CRC-32 of IEEE 802.3 by half bytes: the hardware takes whole words only. */
static uint32_t crc_add(uint32_t crc, const uint8_t *data, uint32_t bytes) {
  static const uint32_t HALF[16] = {
      0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
      0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
      0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
  for (; bytes > 0; bytes--) {
    crc ^= *data++;
    crc = crc >> 4 ^ HALF[crc & 15u];
    crc = crc >> 4 ^ HALF[crc & 15u];
  }
  return crc;
}

/* -- Sending -- */

static void pump(void) {
  while (out_from != out_to && uart_put(out_ring[out_from % OUT_RING])) out_from++;
}

static void put(uint8_t byte) {
  out_ring[out_to++ % OUT_RING] = byte;
}

/* Appends COBS of `bytes`, and its zero. */
static void put_coded(const uint8_t *data, uint32_t bytes) {
  uint32_t from = 0;
  for (;;) {
    uint32_t to = from;
    while (to < bytes && data[to] != 0 && to - from < BLOCK_FULL - 1u) to++;
    put((uint8_t)(to - from + 1u));
    for (uint32_t i = from; i < to; i++) put(data[i]);
    bool full = to - from == BLOCK_FULL - 1u;
    from = to;
    if (from == bytes) break;
    if (!full) from++;
  }
  put(0);
}

void link_send(uint32_t type, const bf_part *part, uint32_t parts) {
  uint8_t packet[OUT_MOST / 2];
  uint32_t bytes = 1;
  if (state == SEARCHING || state == NAMED) return; /* AGAIN asks for what counts */
  packet[0] = (uint8_t)type;
  for (; parts > 0; parts--, part++) {
    bf_copy(packet + bytes, part->data, part->len);
    bytes += part->len;
  }
  bf_store_le32(packet + bytes, ~crc_add(0xFFFFFFFFu, packet, bytes));
  while (OUT_RING - (out_to - out_from) < OUT_MOST) pump();
  put_coded(packet, bytes + PACKET_BYTES_CRC);
  pump();
}

/* Where a time of less than a tick is watched, nobody waits. */
void link_wait(const volatile uint32_t *changes, uint32_t seen) {
  if (state == NAMED || state == TRYING) return;
  const volatile uint32_t *counter = uart_counter();
  uint32_t before = *counter;
  if (out_from != out_to || uart_waiting()) return;
  while (*changes == seen && *counter == before) {
  }
}

void link_flush(void) {
  while (out_from != out_to) pump();
  while (!uart_sent()) {
  }
}

/* -- State of the line -- */

static void enter(line_state next) {
  state = next;
  since = millis();
  dropped_in_row = 0;
  length = raw = left = 0;
  broken = false;
}

static void set_bit(uint32_t cycles) {
  bit_cycles = cycles;
  uart_set_bit(cycles);
}

void link_start(void) {
  uart_start();
  bit_cycles = LINE_BITS * (CLOCK_FAST_HZ / BAUD_FIRST);
  enter(SEARCHING);
}

bool link_knocked(void) {
  return knocked;
}

uint32_t link_dropped(void) {
  return dropped;
}

void link_try_rate(uint32_t bits_per_second) {
  if (bits_per_second < SLOWEST || bits_per_second > facts_config()->baud_most) return;
  uint32_t cycles = CLOCK_FAST_HZ / bits_per_second * LINE_BITS;
  if (!uart_can_make(cycles)) return;
  link_flush();
  bit_cycles_before = bit_cycles;
  measured = false;
  set_bit(cycles); /* near enough to hear that somebody sends */
  enter(TRYING);
}

static void give_up_trial(void) {
  set_bit(bit_cycles_before);
  enter(LINKED);
}

static void drop(void) {
  dropped += state != TRYING; /* it may be of the pattern */
  dropped_in_row++;
  if (dropped_in_row < LINK_BAD_PACKETS) return;
  if (state == TRYING)
    give_up_trial();
  else
    enter(SEARCHING);
}

/* Somebody sends: his bit time, if it is the even pattern of a knock. */
static void measure(void) {
  if (!uart_heard()) return;
  uint32_t cycles = line_measure(facts_config()->rx_pin, LINE_PATIENCE);
  if (cycles == 0) return;
  line_align(facts_config()->rx_pin, cycles);
  set_bit(cycles);
  measured = true;
  if (state == SEARCHING) enter(NAMED);
}

/* -- Receiving -- */

void link_keep(uint32_t buffer) {
  kept |= 1u << buffer;
  for (filling = 0; (kept >> filling & 1u) != 0; filling++) {
  }
}

void link_release(uint32_t buffer) {
  kept &= ~(1u << buffer);
}

const uint8_t *link_body(uint32_t buffer) {
  return buffers[buffer] + TYPE_AT + 1;
}

static bool is_knock(void) {
  if (raw != KNOCK_BYTES) return false;
  uint32_t differs = 0;
  for (uint32_t i = 0; i < KNOCK_MEASURED; i++) differs |= first[i] ^ KNOCK_MEASURED_BYTE;
  return differs == 0 &&
         bf_equal(first + KNOCK_MEASURED, (const uint8_t *)KNOCK_NAME, KNOCK_NAME_BYTES);
}

static void store(uint8_t byte) {
  if (length < PACKET_MOST)
    buffers[filling][TYPE_AT + length++] = byte;
  else
    broken = true;
}

/* The bytes since the last zero are a packet, a knock, or to be dropped. */
static void finish(void) {
  const uint8_t *packet = buffers[filling] + TYPE_AT;
  uint32_t bytes = length - PACKET_BYTES_CRC;
  bool good = !broken && left == 0 && length > PACKET_BYTES_CRC &&
              bf_load_le32(packet + bytes) == ~crc_add(0xFFFFFFFFu, packet, bytes);
  bool knock = is_knock();
  uint32_t body = bytes - PACKET_BYTES_TYPE;
  length = raw = left = 0;
  broken = false;
  if (good) {
    if (state == TRYING) enter(LINKED);
    dropped_in_row = 0;
    if (!link_packet(packet[0], packet + 1, body, filling)) drop();
  } else if (knock) {
    link_answer_knock();
  } else {
    drop();
  }
}

/* A byte of a packet; true when it was the last. */
static bool take_byte(uint8_t byte) {
  if (byte == 0) {
    bool any = raw != 0;
    if (any) finish();
    return any;
  }
  if (raw < KNOCK_BYTES) first[raw] = byte;
  raw++;
  if (left == 0) {
    if (raw > 1 && code != BLOCK_FULL) store(0);
    code = byte;
    left = (uint8_t)(byte - 1u);
  } else {
    store(byte);
    left--;
  }
  return false;
}

/* Behind the measured bytes the name has to come; its first letter was for line_align(). */
static void look_for_name(uint8_t byte) {
  for (uint32_t i = 1; i < NAME_REST; i++) last[i - 1] = last[i];
  last[NAME_REST - 1] = byte;
  if (!bf_equal(last, (const uint8_t *)KNOCK_NAME + 1, NAME_REST)) return;
  bf_wipe(last, sizeof last);
  knocked = true;
  enter(LINKED);
  link_answer_knock();
}

bool link_poll(void) {
  int32_t byte;
  pump();
  if (state == SEARCHING || (state == TRYING && !measured)) measure();
  if (state == NAMED && millis_over(since, NAME_MS)) enter(SEARCHING);
  if (state == TRYING && millis_over(since, LINK_MS_BAUD_PROOF)) give_up_trial();
  while ((state == NAMED || state == LINKED || (state == TRYING && measured)) &&
         (byte = uart_take()) >= 0) {
    if (state == NAMED)
      look_for_name((uint8_t)byte);
    else if (take_byte((uint8_t)byte))
      return true;
  }
  return false;
}
