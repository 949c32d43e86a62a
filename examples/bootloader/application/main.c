/* The application: greet, test itself, then live from tick to tick. */
#include "backup.h"
#include "console.h"
#include "font.h"
#include "handoff.h"
#include "led.h"
#include "print.h"
#include "report.h"
#include "shell.h"
#include "startup.h"
#include "stm32f427.h"
#include "tick.h"

/* Read once and wiped: a stale note must not survive into a start without the bootloader. */
static void print_handoff(void) {
    if (handoff.magic == HANDOFF_MAGIC) {
        print("Started by the bootloader after %u ms, reset flags %02x\r\n", handoff.boot_millis,
              handoff.reset_flags >> 24);
    } else {
        print("Started without the bootloader\r\n");
    }
    handoff.magic = 0;
}

_Noreturn void main(void) {
    tick_start();
    led_start();
    console_start();
    print("The example application 1.0 is running\r\n");
    print_handoff();
#ifdef BEHIND_LOADER
    backup_start();
    print("Start %u since backup SRAM was cleared\r\n", backup_count_start());
#endif
    banner_print("BLINDFLASH");
    report_self_test();
    shell_start();
    for (;;) {
        wait_for_interrupt();
        shell_poll();
        report_heartbeat();
    }
}
