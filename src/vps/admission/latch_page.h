/*
 * latch_page: what a browser gets at a public port (latch.h): a page without scripts and without
 * anything from elsewhere, under headers that allow it nothing. Pure.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_LATCH_PAGE_H
#define PAMTUNNEL_VPS_ADMISSION_LATCH_PAGE_H

#include <stdbool.h>

#include "base/net.h"
#include "base/text.h"

enum latch_state {
    LATCH_SHUT,    /* its button lets the visitor's address in */
    LATCH_OPEN,    /* it may come in, or is in */
    LATCH_TAKEN,   /* somebody at another address is in */
    LATCH_USED_UP, /* its button was pressed at too many */
    LATCH_BLOCKED, /* a person has kept this address out of the session */
};

enum { LATCH_PAGE_SIZE = 10240, LATCH_WORDS_SIZE = 1024, LATCH_LANGUAGE_SIZE = 4 };

struct latch_page {
    enum latch_state state;
    char address[ADDR_HOST_MAX];        /* the visitor's */
    char elsewhere[ADDR_HOST_MAX];      /* a client that waits comes from here; "": none does */
    const char *label;                  /* "SSH" */
    char target[LATCH_WORDS_SIZE];      /* "office/HOME-PC" */
    char line[LATCH_WORDS_SIZE];        /* to connect with: a command or an address */
    char uri[LATCH_WORDS_SIZE];         /* opens a client: "ssh://…"; "": none does */
    char language[LATCH_LANGUAGE_SIZE]; /* "de"; "": that of the browser */
};

/*
 * The whole answer, with its head; of HEAD there is the head alone. german: the browser's reader
 * wants that.
 */
void latch_page_write(const struct latch_page *page, bool german, bool head_only,
                      struct text *text);
/* The answer to what is no request, or one for something that there is not. */
void latch_page_refuse(struct text *text);

/* What the head says about the page's style, and that style: for the test that they agree. */
extern const char LATCH_STYLE[], LATCH_STYLE_SHA256[];

#endif
