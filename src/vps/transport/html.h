/*
 * html: the HTML that messages are written in: plain text and the tags b, code and pre, which
 * Telegram and others take. Whatever comes from elsewhere goes through these functions, so that
 * it neither breaks the HTML nor becomes a link.
 */
#ifndef PAMTUNNEL_VPS_TRANSPORT_HTML_H
#define PAMTUNNEL_VPS_TRANSPORT_HTML_H

#include "base/text.h"

/* Appends plain text. */
void html_add(struct text *html, const char *plain);
/* The same in a tag: "code", "b", "pre". */
void html_add_in_tag(struct text *html, const char *tag, const char *plain);
/*
 * A sentence with names and words of others in it. Those between “ and ” go into <code>,
 * where Telegram leaves everything as it is, and so does whatever looks like a link.
 */
void html_add_words(struct text *html, const char *plain);
/* The same as a sentence of its own: with a capital letter and a full stop. */
void html_add_sentence(struct text *html, const char *plain);

#endif
