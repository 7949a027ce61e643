#include "base/passage_refusal.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { TLS_ALERT = 21, TLS_HANDSHAKE = 22 };

/* True if the line has the word, in any case; it is ASCII in what is looked for here. */
static bool line_has(const char *line, size_t len, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= len; i++) {
        if (strncasecmp(line + i, word, size) == 0) {
            return true;
        }
    }
    return false;
}

/* It names the kinds of login that it takes, and basic is none of them. */
static bool takes_other_logins(const struct passage_refusal *refusal)
{
    static const char NAME[] = "Proxy-Authenticate:";
    const char *line = refusal->head, *end = refusal->head + refusal->len;
    bool named = false;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((newline ? newline : end) - line);
        bool is_it = len >= sizeof NAME - 1 && strncasecmp(line, NAME, sizeof NAME - 1) == 0;
        if (is_it && line_has(line, len, "basic")) {
            return false;
        }
        named = named || is_it;
        line += len + 1;
    }
    return named;
}

static int explain_login(const struct passage_refusal *refusal, struct why *why)
{
    if (takes_other_logins(refusal)) {
        return why_set(why, -EACCES,
                       "the proxy wants another kind of login than basic (%u), such as NTLM or "
                       "Kerberos: ask for a way through without one, or run a helper like cntlm "
                       "beside this program and name that as the proxy",
                       refusal->status);
    }
    if (refusal->had_login) {
        return why_set(why, -EACCES, "the proxy does not accept the user name or password (%u)",
                       refusal->status);
    }
    return why_set(why, -EACCES,
                   "the proxy wants a user name and a password (%u): write them into its "
                   "address, http://USER:PASSWORD@HOST:PORT",
                   refusal->status);
}

int passage_refusal_explain(const struct passage_refusal *refusal, struct why *why)
{
    unsigned status = refusal->status;
    if (status == 407 || status == 401) { /* which is what tinyproxy answers */
        return explain_login(refusal, why);
    }
    if (status == 502 || status == 503 || status == 504) {
        return why_set(why, -EHOSTUNREACH,
                       "the proxy cannot reach %.100s (%u): is that right, does the server run, "
                       "and does its firewall let the proxy in?",
                       refusal->where, status);
    }
    if ((status >= 300 && status < 400) || status == 511) { /* RFC 6585, 6 */
        return why_set(why, -EPROTO,
                       "the proxy answers CONNECT %.100s with a page of its own (%u), as networks "
                       "do where one has to log in first: what does a browser show there?",
                       refusal->where, status);
    }
    if (status >= 400 && status < 500) {
        return why_set(why, -ECONNREFUSED,
                       "the proxy does not let connections to %.100s through (%u): many allow "
                       "port 443 alone",
                       refusal->where, status);
    }
    return why_set(why, -EPROTO, "the proxy answers CONNECT %.100s with status %u", refusal->where,
                   status);
}

int passage_refusal_no_http(const char *bytes, size_t len, struct why *why)
{
    static const char SAYS[] = "what listens there does not answer like an HTTP proxy";
    bool is_tls = len > 0 && (bytes[0] == TLS_ALERT || bytes[0] == TLS_HANDSHAKE);
    return why_set(why, -EPROTO, is_tls ? "%s: it speaks TLS, and is to be asked without" : "%s",
                   SAYS);
}
