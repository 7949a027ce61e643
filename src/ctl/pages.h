/*
 * pages: records of the audit, a page after the other over one connection. The next one is asked
 * for before this one is handed out, so that vps-agent works on it meanwhile.
 */
#ifndef PAMTUNNEL_CTL_PAGES_H
#define PAMTUNNEL_CTL_PAGES_H

#include <jansson.h>

struct pages;

/*
 * Takes over the request: {"command":"audit"} with what is asked for (docs/protocol.md). With
 * "follow" there is no last page. NULL: out of memory.
 */
struct pages *pages_new(const char *socket_path, json_t *request);
/* A new reference: the page, or a failure (ask.h). NULL: there is no further one. */
json_t *pages_next(struct pages *pages);
/* Accepts NULL. */
void pages_free(struct pages *pages);

#endif
