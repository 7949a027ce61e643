#include "vps/admission/latch_page.h"

#include <string.h>

#include "base/entity.h"

const char LATCH_STYLE[] =
    ":root{color-scheme:light dark}"
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1.5rem 1rem;"
    "overflow-wrap:anywhere}"
    "h1{font-size:1.5rem;line-height:1.25}"
    "code{font-size:1rem;background:#8883;padding:.15em .35em;border-radius:.3em;user-select:all}"
    "button,a{display:inline-block;font:inherit;font-weight:600;padding:.7em 1.2em;border:0;"
    "border-radius:.5em;background:#1463c5;color:#fff;text-decoration:none;cursor:pointer}"
    "small{display:block;margin-top:1.5rem}";
const char LATCH_STYLE_SHA256[] = "EVfy1U4p5i6zw2T8iIruAdbXnWn/pbntGDsHOjtMohw=";

/* ---- parts ------------------------------------------------------------------- */

static void put(struct text *text, const char *bytes)
{
    text_put(text, bytes, strlen(bytes));
}

/* A sentence in which {} is a name: plain, in a tag. */
static void put_sentence(struct text *text, const char *sentence, const char *name, const char *tag)
{
    const char *gap = strstr(sentence, "{}");
    if (!gap) {
        put(text, sentence);
        return;
    }
    text_put(text, sentence, (size_t)(gap - sentence));
    text_add(text, "<%s>", tag);
    entity_add(text, name);
    text_add(text, "</%s>", tag);
    put(text, gap + 2);
}

struct words {
    const char *language, *title, *you_are, *offer, *button, *shared, *is_open, *connect, *app,
        *only, *close, *elsewhere, *taken, *used_up, *blocked;
};

static const struct words ENGLISH = {
    .language = "en",
    .title = "{} to ",
    .you_are = "<p>This device reaches the server from {}.",
    .offer = "<p>Nobody is let in yet. The button lets this address in, for this session alone.",
    .button = "Let this address in",
    .shared = "<small>Whoever shares this address, as in an office, a hotel or a mobile network, "
              "can reach the login of the machine as well, until the session is over.</small>",
    .is_open = "<p>This address is let in for this session.",
    .connect = "<p>Connect from here with<br>{}",
    .app = "Open the app",
    .only = "<p>From this address alone: a program that leaves by another one, as with IPv6 beside "
            "IPv4 or a VPN, is not let in by that.",
    .close = "<p>This page can be closed.",
    .elsewhere = "<p>A client is waiting at {}. If that is yours: it leaves by another address "
                 "than this browser, as with IPv6 beside IPv4 or a VPN. Press Admit for it in the "
                 "chat.",
    .taken = "<p>This session is used from another address: by you, perhaps, if your client leaves "
             "by another one than this browser, as with IPv6 beside IPv4 or a VPN. If not, open a "
             "new session in the chat.",
    .used_up = "<p>This link has let in too many addresses. Press Admit in the chat, or open a new "
               "session there.",
    .blocked = "<p>This address was blocked for this session. Open a new one in the chat.",
};

static const struct words GERMAN = {
    .language = "de",
    .title = "{} zu ",
    .you_are = "<p>Dieses Gerät erreicht den Server von {} aus.",
    .offer = "<p>Noch ist niemand eingelassen. Der Knopf lässt diese Adresse ein, nur für diese "
             "Sitzung.",
    .button = "Diese Adresse einlassen",
    .shared = "<small>Wer dieselbe Adresse hat, etwa im Büro, im Hotel oder im Mobilfunk, erreicht "
              "bis zum Ende der Sitzung ebenfalls die Anmeldung des Rechners.</small>",
    .is_open = "<p>Diese Adresse ist für diese Sitzung eingelassen.",
    .connect = "<p>Verbinden Sie sich von hier aus mit<br>{}",
    .app = "App öffnen",
    .only = "<p>Nur von dieser Adresse aus: Ein Programm, das von einer anderen kommt, etwa mit "
            "IPv6 neben IPv4 oder über ein VPN, ist damit nicht eingelassen.",
    .close = "<p>Diese Seite kann geschlossen werden.",
    .elsewhere = "<p>Ein Client wartet bei {}. Wenn das Ihrer ist: Er kommt von einer anderen "
                 "Adresse als dieser Browser, etwa mit IPv6 neben IPv4 oder über ein VPN. Drücken "
                 "Sie für ihn im Chat auf Einlassen.",
    .taken = "<p>Diese Sitzung wird von einer anderen Adresse aus benutzt: vielleicht von Ihnen, "
             "wenn Ihr Client von einer anderen kommt als dieser Browser, etwa mit IPv6 neben IPv4 "
             "oder über ein VPN. Wenn nicht, öffnen Sie im Chat eine neue.",
    .used_up = "<p>Dieser Link hat schon zu viele Adressen eingelassen. Drücken Sie im Chat auf "
               "Einlassen, oder öffnen Sie dort eine neue Sitzung.",
    .blocked = "<p>Diese Adresse wurde für diese Sitzung gesperrt. Öffnen Sie im Chat eine "
               "neue.",
};

/* ---- the page ------------------------------------------------------------------ */

static void put_elsewhere(const struct latch_page *page, const struct words *words,
                          struct text *text)
{
    if (page->elsewhere[0]) {
        put_sentence(text, words->elsewhere, page->elsewhere, "b");
    }
}

static void put_offer(const struct latch_page *page, const struct words *words, struct text *text)
{
    put_elsewhere(page, words, text);
    put(text, words->offer);
    put(text, "<form method=\"post\"><button>");
    put(text, words->button);
    put(text, "</button></form>");
    put(text, words->shared);
}

static void put_open(const struct latch_page *page, const struct words *words, struct text *text)
{
    put(text, words->is_open);
    put_sentence(text, words->connect, page->line, "code");
    if (page->uri[0]) {
        put(text, "<p><a href=\"");
        entity_add(text, page->uri);
        put(text, "\">");
        put(text, words->app);
        put(text, "</a>");
    }
    put(text, page->elsewhere[0] ? "" : words->only);
    put_elsewhere(page, words, text);
    put(text, words->close);
}

static void put_body(const struct latch_page *page, const struct words *words, struct text *text)
{
    text_add(text,
             "<!doctype html><html lang=\"%s\"><meta charset=\"utf-8\">"
             "<meta name=\"viewport\" content=\"width=device-width\">"
             "<meta name=\"robots\" content=\"noindex\"><link rel=\"icon\" href=\"data:,\"><title>",
             words->language);
    entity_add(text, page->target);
    put(text, "</title><style>");
    put(text, LATCH_STYLE);
    put(text, "</style><h1>");
    put_sentence(text, words->title, page->label, "span");
    entity_add(text, page->target);
    put(text, "</h1>");
    put_sentence(text, words->you_are, page->address, "b");
    switch (page->state) {
    case LATCH_SHUT:
        put_offer(page, words, text);
        break;
    case LATCH_OPEN:
        put_open(page, words, text);
        break;
    case LATCH_TAKEN:
        put(text, words->taken);
        break;
    case LATCH_USED_UP:
        put(text, words->used_up);
        break;
    case LATCH_BLOCKED:
        put(text, words->blocked);
        break;
    }
    put(text, "</html>\n");
}

static void put_head(const char *status, size_t len, struct text *text)
{
    text_add(text,
             "HTTP/1.1 %s\r\n"
             "Content-Type: text/html; charset=utf-8\r\n"
             "Content-Length: %zu\r\n"
             "Connection: close\r\n"
             "Cache-Control: no-store\r\n"
             "X-Content-Type-Options: nosniff\r\n"
             "X-Frame-Options: DENY\r\n"
             "Referrer-Policy: no-referrer\r\n"
             "Content-Security-Policy: default-src 'none'; style-src 'sha256-%s'; img-src data:; "
             "form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n\r\n",
             status, len, LATCH_STYLE_SHA256);
}

void latch_page_write(const struct latch_page *page, bool german, bool head_only, struct text *text)
{
    char buffer[LATCH_PAGE_SIZE];
    struct text body = text_over(buffer, sizeof buffer);
    bool in_german = page->language[0] ? strcmp(page->language, "de") == 0 : german;
    bool is_refused = page->state != LATCH_SHUT && page->state != LATCH_OPEN;
    put_body(page, in_german ? &GERMAN : &ENGLISH, &body);
    put_head(is_refused ? "403 Forbidden" : "200 OK", body.len, text);
    if (!head_only) {
        text_put(text, buffer, body.len);
    }
}

void latch_page_refuse(struct text *text)
{
    put_head("400 Bad Request", 0, text);
}
