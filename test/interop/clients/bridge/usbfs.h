// What the kernel's usbfs would answer on the probe's device node, as far as libusb asks (linux/usbdevice_fs.h).
#ifndef USBFS_H
#define USBFS_H
#include <stdbool.h>
#include <umockdev.h>

// An ioctl base with the handlers in place, to be attached to the device node.
UMockdevIoctlBase *usbfs_new(bool high_speed);
// From now on (true) nothing answers: transfers end with ESHUTDOWN, then everything with ENODEV.
void usbfs_set_gone(bool gone);
// True while some program has a transfer pending.
bool usbfs_busy(void);
#endif
