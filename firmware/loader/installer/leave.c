/* The end of the installer: see leave.h. */
#include "leave.h"

#include "facts.h"
#include "installer.h"
#include "job.h"
#include "journal_write.h"
#include "link.h"
#include "millis.h"
#include "serial_transport.h"
#include "uart.h"

#define KNOCK_MS 200u
#define SESSION_MS 10000u
#define LAST_WORDS_MS 1000u /* for the agent to take the last reply */
#define ENTRIES_MS 1200000u /* since the start: as long as 2^16 entries take at 115200 bit/s */
#define FINAL_RUN 1u

static uint32_t wanted_at; /* millis() when there last was a session */
static bool ended;

static void leave(void) {
  link_flush();
  uart_stop();
  leave_by_reset();
}

void leave_after_end(void) {
  ended = job_plan()->final == FINAL_RUN;
}

void leave_later(void) {
  if (!millis_over(0, ENTRIES_MS)) wanted_at = millis();
}

void leave_if_due(bool in_session) {
  if (in_session) {
    wanted_at = millis();
    ended = false;
  }
  if (!facts_image_complete()) return;
  /* what boot would not start it will not start now, unless it is another one */
  if (facts_handover()->reason == ENTRY_NO_IMAGE && !journal_has_completed()) return;
  if (ended && (serial_all_fetched() || millis_over(wanted_at, LAST_WORDS_MS))) leave();
  if (facts_handover()->reason == ENTRY_NO_IMAGE && !ended && in_session) return;
  if (!link_knocked() && millis_over(0, KNOCK_MS)) leave();
  if (millis_over(wanted_at, SESSION_MS)) leave();
}
