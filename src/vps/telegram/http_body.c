#include "vps/telegram/http_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

/* Of a part's data: libcurl would not wipe its own, and an .rdp file holds a secret. */
struct copy {
    size_t len, at;
    char data[];
};

static size_t copy_read(char *dst, size_t size, size_t count, void *arg)
{
    struct copy *copy = arg;
    size_t len = size * count;
    if (len > copy->len - copy->at) {
        len = copy->len - copy->at;
    }
    memcpy(dst, copy->data + copy->at, len);
    copy->at += len;
    return len;
}

/* To begin anew on another connection. */
static int copy_seek(void *arg, curl_off_t offset, int origin)
{
    struct copy *copy = arg;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > copy->len) {
        return CURL_SEEKFUNC_FAIL;
    }
    copy->at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static void copy_free(void *arg)
{
    struct copy *copy = arg;
    crypto_wipe(copy->data, copy->len);
    free(copy);
}

static bool set_data(curl_mimepart *mime, const struct http_part *part)
{
    struct copy *copy = malloc(sizeof *copy + part->len);
    if (!copy) {
        return false;
    }
    *copy = (struct copy){.len = part->len};
    memcpy(copy->data, part->data, part->len);
    if (curl_mime_data_cb(mime, (curl_off_t)part->len, copy_read, copy_seek, copy_free, copy)) {
        copy_free(copy);
        return false;
    }
    return true;
}

static bool add_part(curl_mime *mime, const struct http_part *part)
{
    curl_mimepart *added = curl_mime_addpart(mime);
    return added && !curl_mime_name(added, part->name) && set_data(added, part) &&
           (!part->file_name ||
            (!curl_mime_filename(added, part->file_name) && !curl_mime_type(added, part->type)));
}

bool http_body_set(CURL *easy, const struct http_body *body, curl_mime **ret_mime)
{
    if (body->json) {
        return !curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body->json)) &&
               !curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body->json);
    }
    *ret_mime = curl_mime_init(easy);
    bool ok = *ret_mime != NULL;
    for (unsigned i = 0; ok && i < body->part_count; i++) {
        ok = add_part(*ret_mime, &body->parts[i]);
    }
    return ok && !curl_easy_setopt(easy, CURLOPT_MIMEPOST, *ret_mime);
}
