// See usbfs.h. Handlers run in umockdev's own thread; `lock` guards what the main thread looks at too.
#include "usbfs.h"
#include "model.h"
#include <errno.h>
#include <linux/usb/ch9.h>
#include <linux/usbdevice_fs.h>
#include <string.h>
#include <sys/ioctl.h>

// A transfer some program has submitted and not yet reaped.
struct transfer {
    UMockdevIoctlClient *owner;
    UMockdevIoctlData *urb;
    UMockdevIoctlData *buffer; // NULL when empty
    bool done;
};

static GMutex lock;
static GPtrArray *transfers; // in order of submission
static bool gone, fast;

// A plain file is always ready for poll(), so that libusb would spin while a transfer is pending: reaping takes a rest.
enum { REST_US = 300, CONTROL_SETUP = 8, CONTROL_ROOM = 4096 };

static struct usbdevfs_urb *urb_of(const struct transfer *transfer) {
    return (struct usbdevfs_urb *)transfer->urb->data;
}

static bool is_in(const struct usbdevfs_urb *urb) { return (urb->endpoint & USB_DIR_IN) != 0; }

static void finish(struct transfer *transfer, int status, long length) {
    urb_of(transfer)->status = status;
    urb_of(transfer)->actual_length = (int)length;
    transfer->done = true;
}

static int errno_of(long answer) {
    return answer == MODEL_STALL ? -EPIPE : answer == MODEL_OVERFLOW ? -EOVERFLOW : -ESHUTDOWN;
}

static void finish_with(struct transfer *transfer, long answer) {
    if (answer < 0) finish(transfer, errno_of(answer), 0);
    else finish(transfer, 0, answer);
}

// Reads are the model's business, writes (set configuration and the like) are agreed to.
static void work_control(struct transfer *transfer) {
    uint8_t *bytes = transfer->buffer->data;
    if ((bytes[0] & USB_DIR_IN) == 0) return finish(transfer, 0, 0);
    uint8_t reply[CONTROL_ROOM];
    long length = model_control(bytes, reply, sizeof reply);
    if (length < 0) return finish_with(transfer, length);
    long asked = MIN(bytes[6] | bytes[7] << 8, urb_of(transfer)->buffer_length - CONTROL_SETUP);
    memcpy(bytes + CONTROL_SETUP, reply, (size_t)MIN(length, asked));
    finish(transfer, 0, MIN(length, asked));
}

// Does what the transfer asks for, unless it is an IN the probe has nothing for yet.
static void work(struct transfer *transfer) {
    struct usbdevfs_urb *urb = urb_of(transfer);
    uint8_t *bytes = transfer->buffer == NULL ? NULL : transfer->buffer->data;
    if (transfer->done) return;
    if (urb->type == USBDEVFS_URB_TYPE_CONTROL) return work_control(transfer);
    if (!is_in(urb)) return finish_with(transfer, model_out(urb->endpoint, bytes, (uint32_t)urb->buffer_length));
    long answer = model_in(urb->endpoint, bytes, (uint32_t)urb->buffer_length);
    if (answer != MODEL_PENDING) finish_with(transfer, answer);
}

// On one endpoint transfers end in the order they were submitted.
static bool is_first_on_its_endpoint(guint index) {
    const struct transfer *transfer = transfers->pdata[index];
    for (guint i = 0; i < index; i++) {
        const struct transfer *earlier = transfers->pdata[i];
        if (!earlier->done && urb_of(earlier)->endpoint == urb_of(transfer)->endpoint) return false;
    }
    return true;
}

// The next transfer of `client` that has ended, taken off the list; NULL when there is none.
static struct transfer *take_done(UMockdevIoctlClient *client) {
    for (guint i = 0; i < transfers->len; i++) {
        struct transfer *transfer = transfers->pdata[i];
        if (transfer->owner != client) continue;
        if (gone && !transfer->done) finish(transfer, -ESHUTDOWN, 0);
        if (!transfer->done && is_first_on_its_endpoint(i)) work(transfer);
        if (transfer->done) return g_ptr_array_steal_index(transfers, i);
    }
    return NULL;
}

static void free_transfer(gpointer pointer) {
    struct transfer *transfer = pointer;
    umockdev_ioctl_data_unref(transfer->urb);
    if (transfer->buffer != NULL) umockdev_ioctl_data_unref(transfer->buffer);
    g_free(transfer);
}

static bool has_transfers(UMockdevIoctlClient *client) {
    for (guint i = 0; i < transfers->len; i++)
        if (((struct transfer *)transfers->pdata[i])->owner == client) return true;
    return false;
}

static void drop_transfers(UMockdevIoctlClient *client) {
    for (guint i = transfers->len; i > 0; i--)
        if (((struct transfer *)transfers->pdata[i - 1])->owner == client) g_ptr_array_remove_index(transfers, i - 1);
}

static void succeed(UMockdevIoctlClient *client) { umockdev_ioctl_client_complete(client, 0, 0); }

static void refuse(UMockdevIoctlClient *client, int error) { umockdev_ioctl_client_complete(client, -1, error); }

static UMockdevIoctlData *argument(UMockdevIoctlClient *client, size_t size) {
    return umockdev_ioctl_data_resolve(umockdev_ioctl_client_get_arg(client), 0, size, NULL);
}

static void submit(UMockdevIoctlClient *client) {
    UMockdevIoctlData *data = argument(client, sizeof(struct usbdevfs_urb));
    struct usbdevfs_urb *urb = (struct usbdevfs_urb *)data->data;
    struct transfer *transfer = g_new0(struct transfer, 1);
    transfer->owner = client;
    transfer->urb = umockdev_ioctl_data_ref(data);
    if (urb->buffer_length > 0)
        transfer->buffer = umockdev_ioctl_data_resolve(data, G_STRUCT_OFFSET(struct usbdevfs_urb, buffer),
                                                       (gsize)urb->buffer_length, NULL);
    if (transfer->buffer != NULL) umockdev_ioctl_data_ref(transfer->buffer);
    g_ptr_array_add(transfers, transfer);
    if (urb->type == USBDEVFS_URB_TYPE_CONTROL || !is_in(urb)) work(transfer);
    succeed(client);
}

static void reap(UMockdevIoctlClient *client) {
    struct transfer *transfer = take_done(client);
    if (transfer == NULL) {
        if (has_transfers(client)) g_usleep(REST_US);
        return refuse(client, gone ? ENODEV : EAGAIN);
    }
    umockdev_ioctl_data_set_ptr(argument(client, sizeof(void *)), 0, transfer->urb);
    succeed(client);
    free_transfer(transfer);
}

// The transfer ends as cancelled; it still has to be reaped.
static void discard(UMockdevIoctlClient *client) {
    gulong address = *(gulong *)umockdev_ioctl_client_get_arg(client)->data;
    for (guint i = 0; i < transfers->len; i++) {
        struct transfer *transfer = transfers->pdata[i];
        if (transfer->owner != client || transfer->urb->client_addr != address || transfer->done) continue;
        finish(transfer, -ENOENT, 0);
        return succeed(client);
    }
    refuse(client, EINVAL);
}

static void tell_capabilities(UMockdevIoctlClient *client) {
    guint32 all = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM | USBDEVFS_CAP_BULK_CONTINUATION |
                  USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
    memcpy(argument(client, sizeof all)->data, &all, sizeof all);
    succeed(client);
}

static void begin_afresh(UMockdevIoctlClient *client) {
    model_reset();
    succeed(client);
}

static void answer(UMockdevIoctlClient *client, gulong request) {
    switch (_IOC_NR(request)) {
    case _IOC_NR(USBDEVFS_GET_CAPABILITIES): return tell_capabilities(client);
    case _IOC_NR(USBDEVFS_CLAIMINTERFACE):
    case _IOC_NR(USBDEVFS_DISCONNECT_CLAIM):
    case _IOC_NR(USBDEVFS_RESET): return begin_afresh(client);
    case _IOC_NR(USBDEVFS_RELEASEINTERFACE):
    case _IOC_NR(USBDEVFS_SETCONFIGURATION):
    case _IOC_NR(USBDEVFS_SETINTERFACE):
    case _IOC_NR(USBDEVFS_CLEAR_HALT):
    case _IOC_NR(USBDEVFS_RESETEP): return succeed(client);
    case _IOC_NR(USBDEVFS_GETDRIVER): return refuse(client, ENODATA);
    case _IOC_NR(USBDEVFS_GET_SPEED):
        return umockdev_ioctl_client_complete(client, fast ? USB_SPEED_HIGH : USB_SPEED_FULL, 0);
    case _IOC_NR(USBDEVFS_SUBMITURB): return submit(client);
    case _IOC_NR(USBDEVFS_REAPURB):
    case _IOC_NR(USBDEVFS_REAPURBNDELAY): return reap(client);
    case _IOC_NR(USBDEVFS_DISCARDURB): return discard(client);
    default: return refuse(client, ENOTTY);
    }
}

static bool still_answered(gulong request) {
    unsigned number = _IOC_NR(request);
    return number == _IOC_NR(USBDEVFS_REAPURB) || number == _IOC_NR(USBDEVFS_REAPURBNDELAY) ||
           number == _IOC_NR(USBDEVFS_DISCARDURB);
}

static gboolean on_ioctl(UMockdevIoctlBase *base, UMockdevIoctlClient *client, gpointer unused) {
    (void)base, (void)unused;
    gulong request = umockdev_ioctl_client_get_request(client);
    g_mutex_lock(&lock);
    if (gone && !still_answered(request)) refuse(client, ENODEV);
    else answer(client, request);
    g_mutex_unlock(&lock);
    return TRUE;
}

static void on_vanished(UMockdevIoctlBase *base, UMockdevIoctlClient *client, gpointer unused) {
    (void)base, (void)unused;
    g_mutex_lock(&lock);
    drop_transfers(client);
    g_mutex_unlock(&lock);
}

UMockdevIoctlBase *usbfs_new(bool high_speed) {
    if (transfers == NULL) transfers = g_ptr_array_new_with_free_func(free_transfer);
    fast = high_speed;
    UMockdevIoctlBase *base = umockdev_ioctl_base_new();
    g_signal_connect(base, "handle-ioctl", G_CALLBACK(on_ioctl), NULL);
    g_signal_connect(base, "client-vanished", G_CALLBACK(on_vanished), NULL);
    return base;
}

void usbfs_set_gone(bool now) {
    g_mutex_lock(&lock);
    gone = now;
    g_mutex_unlock(&lock);
}

bool usbfs_busy(void) {
    g_mutex_lock(&lock);
    bool busy = transfers != NULL && transfers->len > 0;
    g_mutex_unlock(&lock);
    return busy;
}
