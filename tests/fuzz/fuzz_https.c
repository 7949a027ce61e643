/*
 * What a stranger says to a public port whose page has a certificate: a ClientHello, or what only
 * begins like one. Nothing comes of it but a connection that waits or is given up, however its
 * bytes are cut, and nobody without the keys of its handshake gets as far as to say a word.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/rdp_keys.h"
#include "vps/admission/https.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IN_2030 = 1900000000, TURNS = 8 };

static struct site {
    uv_loop_t loop;
    struct log log;
    struct vps_settings settings;
    struct publisher *publisher;
} site;

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

int64_t __wrap_clock_unix(void);
int64_t __wrap_clock_unix(void)
{
    return IN_2030; /* when the certificate holds */
}

static void put(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    require(file && fputs(content, file) >= 0 && fclose(file) == 0 && chmod(path, 0600) == 0);
}

static void start(void)
{
    char folder[] = "/tmp/fuzz_https.XXXXXX";
    struct publisher_files files = {.certificate = ""};
    site.log = log_to_stderr(LOG_ERROR);
    const struct publisher_options options = {.loop = &site.loop, .log = &site.log};
    require(mkdtemp(folder) && uv_loop_init(&site.loop) == 0);
    snprintf(files.certificate, sizeof files.certificate, "%s/cert.pem", folder);
    snprintf(files.key, sizeof files.key, "%s/key.pem", folder);
    put(files.certificate, SERVER_CHAIN);
    put(files.key, SERVER_KEY);
    snprintf(site.settings.vps_host, sizeof site.settings.vps_host, "vps.example.org");
    site.publisher = publisher_new(&options);
    require(site.publisher != NULL);
    publisher_use(site.publisher, &files);
    unlink(files.certificate);
    unlink(files.key);
    rmdir(folder);
}

/* A stranger's connection, of which so much was read before. It has said all there is. */
static void talk(struct https *https, const uint8_t *data, size_t size, size_t ahead)
{
    struct https_line *line;
    struct addr from = {.v4 = {.sin_family = AF_INET}};
    uint8_t heard[256];
    int pair[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    send(pair[0], data + ahead, size - ahead, MSG_NOSIGNAL);
    shutdown(pair[0], SHUT_WR);
    require(https_begin(https, pair[1], &from, ahead > 0 ? data : NULL, ahead, &line) == 0);
    for (int turn = 0; turn < TURNS; turn++) {
        long got = https_read(line, heard, sizeof heard);
        require(got <= 0);
        if (got != -EAGAIN) {
            break;
        }
    }
    https_line_free(line);
    close(pair[0]);
    close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!site.publisher) {
        start();
    }
    struct https *https = https_new(site.publisher,
                                    &site.settings); /* with all of its allowances */
    require(https && https_is_offered(https));
    long missing = https_missing(data, size);
    require(missing == -EBADMSG || (missing >= 0 && missing <= 2));
    if (size > 0) {
        size_t ahead = size < HTTPS_AHEAD_MAX ? size : HTTPS_AHEAD_MAX;
        talk(https, data, size, ahead);
        talk(https, data, size, ahead / 2);
        talk(https, data, size, 0);
    }
    https_free(https);
    return 0;
}
