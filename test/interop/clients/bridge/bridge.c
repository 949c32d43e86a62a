// Shows the virtual probe to every program that reaches USB through libc: a umockdev testbed with one root hub and, while
// plugged, one ST-LINK. Facts: docs/reference/stlink.md §8.
//   umockdev-wrapper bridge SOCKET [--unplugged]
// prints one line "UMOCKDEV_DIR LD_PRELOAD" (values to run clients with), then follows lines on standard input: plug, unplug.
// Each is answered with a line when done. The end of input ends the bridge.
#include "model.h"
#include "usbfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umockdev.h>

#define HUB "/devices/pci0000:00/0000:00:14.0/usb1"
#define DEVICE HUB "/1-1"
#define NODE "/dev/bus/usb/001/002"

enum {
    DESCRIPTORS_ROOM = 512,
    SERIAL_ROOM = 64,
    HIGH_SPEED_PACKET = 512,
    PACKET_SIZE_AT = 18 + 9 + 9 + 4, // of the first endpoint
    NOTICE_MS = 500,                 // how long programs may take to reap what the unplugging ended
    SETTLE_MS = 100,                 // between the event and the end of the node
};

static UMockdevTestbed *testbed;
static UMockdevIoctlBase *usbfs;

static void die(const char *what, const GError *error) {
    fprintf(stderr, "bridge: %s%s%s\n", what, error ? ": " : "", error ? error->message : "");
    exit(1);
}

static char *hex(const uint8_t *bytes, long length) {
    GString *text = g_string_new(NULL);
    for (long i = 0; i < length; i++) g_string_append_printf(text, "%02X", bytes[i]);
    return g_string_free(text, FALSE);
}

static void add(const char *record) {
    GError *error = NULL;
    if (!umockdev_testbed_add_from_string(testbed, record, &error)) die("device record", error);
}

// libusb wants a root hub above the device.
static void add_hub(void) {
    static const uint8_t descriptors[] = {18, 1, 0, 2, 9, 0, 1, 64, 0x6b, 0x1d, 2, 0, 0x18, 6, 0, 0, 0, 1,
                                          9, 2, 25, 0, 1, 1, 0, 0xe0, 0, 9, 4, 0, 0, 1, 9, 0, 0, 0,
                                          7, 5, 0x81, 3, 4, 0, 12};
    g_autofree char *blob = hex(descriptors, sizeof descriptors);
    g_autofree char *record = g_strdup_printf(
        "P: " HUB "\nN: bus/usb/001/001\n"
        "E: DEVNAME=/dev/bus/usb/001/001\nE: DEVTYPE=usb_device\nE: SUBSYSTEM=usb\n"
        "E: BUSNUM=001\nE: DEVNUM=001\nE: MAJOR=189\nE: MINOR=0\n"
        "A: busnum=1\\n\nA: devnum=1\\n\nA: bConfigurationValue=1\\n\nA: speed=480\\n\n"
        "A: idVendor=1d6b\\n\nA: idProduct=0002\\n\nH: descriptors=%s\n\n", blob);
    add(record);
}

// The probe's serial number as sysfs shows it, from its string descriptor.
static void read_serial(char *into) {
    static const uint8_t setup[8] = {0x80, 6, 3, 3, 0x09, 0x04, 255, 0};
    uint8_t descriptor[256];
    long length = model_control(setup, descriptor, sizeof descriptor);
    long count = 0;
    for (long at = 2; at + 1 < length && count < SERIAL_ROOM - 1; at += 2) into[count++] = (char)descriptor[at];
    into[count] = 0;
}

static void plug(void) {
    uint8_t bytes[DESCRIPTORS_ROOM];
    char serial[SERIAL_ROOM];
    long length = model_descriptors(bytes, sizeof bytes);
    if (length < PACKET_SIZE_AT + 2) die("the probe has no descriptors", NULL);
    read_serial(serial);
    bool fast = (bytes[PACKET_SIZE_AT] | bytes[PACKET_SIZE_AT + 1] << 8) >= HIGH_SPEED_PACKET;
    unsigned vendor = bytes[8] | bytes[9] << 8, product = bytes[10] | bytes[11] << 8;
    g_autofree char *blob = hex(bytes, length);
    g_autofree char *record = g_strdup_printf(
        "P: " DEVICE "\nN: bus/usb/001/002=%s\n"
        "E: DEVNAME=" NODE "\nE: DEVTYPE=usb_device\nE: SUBSYSTEM=usb\n"
        "E: BUSNUM=001\nE: DEVNUM=002\nE: MAJOR=189\nE: MINOR=1\nE: PRODUCT=%x/%x/100\n"
        "A: busnum=1\\n\nA: devnum=2\\n\nA: bConfigurationValue=1\\n\nA: speed=%s\\n\n"
        "A: idVendor=%04x\\n\nA: idProduct=%04x\\n\nA: serial=%s\\n\nH: descriptors=%s\n\n",
        blob, vendor, product, fast ? "480" : "12", vendor, product, serial, blob);
    usbfs_set_gone(false);
    add(record);
    GError *error = NULL;
    usbfs = usbfs_new(fast);
    if (!umockdev_testbed_attach_ioctl(testbed, NODE, usbfs, &error)) die("device node", error);
    umockdev_testbed_uevent(testbed, "/sys" DEVICE, "add");
}

// Transfers end first, then the event tells, then the node goes: a program must not find it gone without having heard why.
static void unplug(void) {
    model_unplugged();
    usbfs_set_gone(true);
    for (int waited = 0; waited < NOTICE_MS && usbfs_busy(); waited++) g_usleep(1000);
    umockdev_testbed_uevent(testbed, "/sys" DEVICE, "remove");
    g_usleep(SETTLE_MS * 1000);
    GError *error = NULL;
    if (!umockdev_testbed_detach_ioctl(testbed, NODE, &error)) g_clear_error(&error);
    umockdev_testbed_remove_device(testbed, "/sys" DEVICE);
    g_clear_object(&usbfs);
}

static bool handle_line(const char *line) {
    if (strcmp(line, "plug") == 0 && usbfs == NULL) plug();
    else if (strcmp(line, "unplug") == 0 && usbfs != NULL) unplug();
    else return false;
    return true;
}

int main(int argc, char **argv) {
    if (argc < 2) die("usage: bridge SOCKET [--unplugged]", NULL);
    if (!model_connect(argv[1])) die("no virtual probe at that socket", NULL);
    testbed = umockdev_testbed_new();
    add_hub();
    if (argc < 3) plug();
    printf("%s libumockdev-preload.so.0\n", umockdev_testbed_get_root_dir(testbed));
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        printf("%s %s\n", line, handle_line(line) ? "done" : "refused");
        fflush(stdout);
    }
    g_clear_object(&usbfs);
    g_object_unref(testbed);
    return 0;
}
