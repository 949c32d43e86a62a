// See model.h. All functions may be called from any thread; requests go out one at a time.
#include "model.h"
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int sock = -1;
static GMutex one_at_a_time;

bool model_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return false;
    strcpy(address.sun_path, path);
    sock = socket(AF_UNIX, SOCK_STREAM, 0);
    return sock >= 0 && connect(sock, (struct sockaddr *)&address, sizeof address) == 0;
}

static bool send_all(const void *bytes, size_t left) {
    for (const char *at = bytes; left > 0;) {
        ssize_t sent = send(sock, at, left, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        at += sent;
        left -= (size_t)sent;
    }
    return true;
}

static bool receive_all(void *bytes, size_t left) {
    for (char *at = bytes; left > 0;) {
        ssize_t got = recv(sock, at, left, 0);
        if (got <= 0) return false;
        at += got;
        left -= (size_t)got;
    }
    return true;
}

// Receives an answer's data; what does not fit is dropped.
static bool receive_data(uint8_t *into, uint32_t room, uint32_t length) {
    if (!receive_all(into, MIN(room, length))) return false;
    for (uint32_t left = length - MIN(room, length); left > 0; left--) {
        uint8_t surplus;
        if (!receive_all(&surplus, 1)) return false;
    }
    return true;
}

struct request {
    char kind;
    uint8_t endpoint;
    uint32_t length;
    const uint8_t *data; // NULL: none follows
};

static long exchange(struct request request, bool data_follows, uint8_t *into, uint32_t room) {
    uint8_t header[6] = {(uint8_t)request.kind, request.endpoint};
    uint32_t length = GUINT32_TO_LE(request.length);
    memcpy(header + 2, &length, sizeof length);
    if (!send_all(header, sizeof header)) return MODEL_LOST;
    if (request.data != NULL && !send_all(request.data, request.length)) return MODEL_LOST;
    uint32_t answer;
    if (!receive_all(&answer, sizeof answer)) return MODEL_LOST;
    answer = GUINT32_FROM_LE(answer);
    if (answer >= (uint32_t)MODEL_OVERFLOW) return (int32_t)answer;
    if (!data_follows) return answer;
    return receive_data(into, room, answer) ? (long)MIN(answer, room) : MODEL_LOST;
}

static long ask(struct request request, bool data_follows, uint8_t *into, uint32_t room) {
    g_mutex_lock(&one_at_a_time);
    long result = exchange(request, data_follows, into, room);
    g_mutex_unlock(&one_at_a_time);
    return result;
}

long model_descriptors(uint8_t *into, uint32_t room) { return ask((struct request){.kind = 'D'}, true, into, room); }

long model_control(const uint8_t *setup, uint8_t *into, uint32_t room) {
    return ask((struct request){.kind = 'C', .length = 8, .data = setup}, true, into, room);
}

long model_out(uint8_t endpoint, const uint8_t *bytes, uint32_t length) {
    return ask((struct request){'O', endpoint, length, bytes}, false, NULL, 0);
}

long model_in(uint8_t endpoint, uint8_t *into, uint32_t room) {
    return ask((struct request){.kind = 'I', .endpoint = endpoint, .length = room}, true, into, room);
}

void model_reset(void) { ask((struct request){.kind = 'R'}, false, NULL, 0); }

void model_unplugged(void) { ask((struct request){.kind = 'X'}, false, NULL, 0); }
