/* What a session's user gets, by its kind: a line to paste, or a file; and more lines for SSH. */
#include <ctype.h>
#include <string.h>

#include "vps/admission/latch_page.h"
#include "vps/grant/hostkey.h"
#include "vps/grant/rdpfile.h"
#include "vps/session/front.h"
#include "vps/session/session_parts.h"

static const char *alias_of(const struct session *session, char alias[HOSTKEY_ALIAS_SIZE])
{
    const struct terms *terms = session_terms(session);
    hostkey_alias(terms->names_gateway ? terms->gateway : "", terms->host, terms->port, alias);
    return alias;
}

const char *session_vps_host(const struct session *session)
{
    return session_terms(session)->services->settings->vps_host;
}

const char *session_user(const struct session *session)
{
    return session_terms(session)->user;
}

/*
 * Has ssh know the host key without asking, and refuse any other (OpenSSH 8.5; an older one skips
 * what it does not know, and asks). What it skips is everything, since this takes the place of the
 * IgnoreUnknown in its user's own file, which mostly has something of a Mac's, as UseKeychain.
 * Of a line that is too long for a button to copy it is left out, and stands among the further
 * lines.
 */
static void add_known_key(const struct session *session, const char *alias, struct text *text)
{
    const struct identity *identity = session_identity(session);
    if (identity->key) {
        text_add(text, "-o \"IgnoreUnknown=*\" -o KnownHostsCommand=\"/bin/echo %s %s\" ", alias,
                 identity->key);
    }
}

/*
 * People paste this line into a shell. In double quotes all that a user name may hold (target.c)
 * means nothing to sh, zsh, fish, cmd or PowerShell.
 */
static void add_ssh_words(const struct session *session, bool with_key, struct text *text)
{
    char alias[HOSTKEY_ALIAS_SIZE];
    bool plain = user_name_is_plain(session_terms(session)->user);
    text_add(text, "ssh -p %u -o HostKeyAlias=%s ", front_shown_port(session_front(session)),
             alias_of(session, alias));
    if (with_key) {
        add_known_key(session, alias, text);
    }
    if (!plain) {
        text_add(text, "-l \"%s\" ", session_terms(session)->user);
    } else if (session_terms(session)->user[0]) {
        text_add(text, "%s@", session_terms(session)->user);
    }
    text_add(text, "%s", session_vps_host(session));
}

static void add_ssh_line(const struct session *session, struct text *text)
{
    char line[SESSION_LINE_MAX];
    struct text whole = text_over(line, sizeof line);
    add_ssh_words(session, true, &whole);
    if (whole.len <= SESSION_COPY_MAX) {
        text_add(text, "%s", line);
    } else {
        add_ssh_words(session, false, text);
    }
}

bool session_known_hosts(const struct session *session, struct text *text)
{
    char alias[HOSTKEY_ALIAS_SIZE];
    const struct identity *identity = session_identity(session);
    if (identity->key) {
        text_add(text, "%s %s", alias_of(session, alias), identity->key);
    }
    return identity->key != NULL;
}

/* As TigerVNC, RealVNC and others take it: one colon would be a display's. */
static void add_vnc_line(const struct session *session, struct text *text)
{
    const char *host = session_vps_host(session);
    bool v6 = host_kind(host) == HOST_IPV6;
    text_add(text, "%s%s%s::%u", v6 ? "[" : "", host, v6 ? "]" : "",
             front_shown_port(session_front(session)));
}

static void add_tcp_line(const struct session *session, struct text *text)
{
    char address[TARGET_TEXT_MAX];
    target_format(session_vps_host(session), front_shown_port(session_front(session)), address);
    text_add(text, "%s", address);
}

/* As it stands in a URI (RFC 3986), with an @ behind it. */
static void add_user(const struct session *session, struct text *text)
{
    for (const char *c = session_user(session); *c; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr("-._~", *c);
        text_add(text, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    if (session_user(session)[0]) {
        text_add(text, "@");
    }
}

/* {host}, {port}, {at} and {user}: see kind_hint. */
static void add_place(const struct session *session, const char *name, size_t len,
                      struct text *text)
{
    if (strncmp(name, "host", len) == 0) {
        text_add(text, "%s", session_vps_host(session));
    } else if (strncmp(name, "port", len) == 0) {
        text_add(text, "%u", front_shown_port(session_front(session)));
    } else if (strncmp(name, "user", len) == 0) {
        add_user(session, text);
    } else {
        add_tcp_line(session, text);
    }
}

void session_hint(const struct session *session, const struct kind_hint *hint, struct text *text)
{
    for (const char *at = hint->line; *at;) {
        size_t plain = strcspn(at, "{");
        text_add(text, "%.*s", (int)plain, at);
        at += plain;
        if (*at) {
            size_t len = strcspn(at + 1, "}");
            add_place(session, at + 1, len, text);
            at += len + 2;
        }
    }
}

void session_use_entrance(struct session *session, bool on)
{
    front_show_entrance(session_front(session), on);
}

void session_link(const struct session *session, struct text *text)
{
    text_add(text, front_has_tls(session_front(session)) ? "https://" : "http://");
    add_tcp_line(session, text);
    text_add(text, "/%s", front_latchkey(session_front(session)));
}

void session_line(const struct session *session, struct text *text)
{
#define WRITER_line(word) add_##word##_line
#define WRITER_file(word) NULL
    static void (*const WRITERS[])(const struct session *, struct text *) = {
#define KIND(NAME, number, word, greeting, gives, ...) [number] = WRITER_##gives(word),
#include "shared/kinds.def"
#undef KIND
    };
    if (WRITERS[session_terms(session)->kind]) {
        WRITERS[session_terms(session)->kind](session, text);
    }
}

/* As the chat calls it: by its name in the policy, and without a port that goes without saying. */
static void add_target(const struct session *session, struct text *text)
{
    const struct terms *terms = session_terms(session);
    char shown[SESSION_TARGET_SIZE];
    session_target_text(session, shown);
    if (terms->port == kind_row(terms->kind)->port && !terms->name[0]) {
        text_add(text, "%s%s%s", terms->names_gateway ? terms->gateway : "",
                 terms->names_gateway ? "/" : "", terms->host);
    } else {
        text_add(text, "%s", terms->name[0] ? terms->name : shown);
    }
}

void session_describe(const struct session *session, struct latch_page *page)
{
    const struct kind_row *kind = kind_row(session_terms(session)->kind);
    const struct kind_hint uri = {.line = kind->uri ? kind->uri : ""};
    struct text line = text_over(page->line, sizeof page->line);
    struct text text = text_over(page->uri, sizeof page->uri);
    struct text target = text_over(page->target, sizeof page->target);
    add_target(session, &target);
    session_hint(session, &uri, &text);
    session_line(session, &line);
    if (line.len == 0) { /* it is a file, which cannot be had here */
        add_tcp_line(session, &line);
    }
    page->label = kind->label;
}

/*
 * scp has no -l for that. A User= takes no blanks, and Windows' scp may take a backslash
 * in front of the colon for a part of a path.
 */
void session_scp_command(const struct session *session, struct text *text)
{
    const char *host = session_vps_host(session), *user = session_user(session);
    char alias[HOSTKEY_ALIAS_SIZE];
    bool v6 = host_kind(host) == HOST_IPV6;
    bool blank = strchr(user, ' ') != NULL;
    bool option = !blank && !user_name_is_plain(user);
    text_add(text, "scp -P %u -o HostKeyAlias=%s ", front_shown_port(session_front(session)),
             alias_of(session, alias));
    if (option) {
        text_add(text, "-o \"User=%s\" ", user);
        user = "";
    }
    text_add(text, "FILE %s%s%s%s%s%s:%s", blank ? "\"" : "", user, user[0] ? "@" : "",
             v6 ? "[" : "", host, v6 ? "]" : "", blank ? "\"" : "");
}

/*
 * A name to type: scp ends a host at its first colon, and takes what has a slash for a path. No
 * two machines have the same one: there is no + in any name.
 */
static void add_name(const char *alias, struct text *text)
{
    text_add(text, "pam-");
    for (const char *c = alias; *c; c++) {
        text_add(text, "%c", *c == ':' ? '-' : *c == '/' ? '+' : *c);
    }
}

void session_ssh_config(const struct session *session, struct text *text)
{
    char alias[HOSTKEY_ALIAS_SIZE];
    alias_of(session, alias);
    text_add(text, "Host ");
    add_name(alias, text);
    text_add(text, "\n    HostName %s\n    Port %u\n    HostKeyAlias %s\n",
             session_vps_host(session), front_shown_port(session_front(session)), alias);
    if (session_terms(session)->user[0]) {
        const char *quote = user_name_is_plain(session_terms(session)->user) ? "" : "\"";
        text_add(text, "    User %s%s%s\n", quote, session_terms(session)->user, quote);
    }
}

void session_target_text(const struct session *session, char *dst)
{
    const struct terms *terms = session_terms(session);
    char target[TARGET_TEXT_MAX];
    struct text text = text_over(dst, SESSION_TARGET_SIZE);
    target_format(terms->host, terms->port, target);
    if (terms->names_gateway) {
        text_add(&text, "%s/", terms->gateway);
    }
    text_add(&text, "%s", target);
}

const struct rdp_certificate_view *session_rdp_file(const struct session *session,
                                                    struct text *text)
{
    const struct rdpfile file = {
        .host = session_vps_host(session),
        .port = front_shown_port(session_front(session)),
        .secret = front_secret(session_front(session)),
        .user = session_terms(session)->user,
        .clipboard = session_terms(session)->services->settings->rdp_clipboard,
        .signer = publisher_certificate(session_terms(session)->services->publisher),
    };
    return rdpfile_write(&file, text) ? rdp_certificate_view(file.signer) : NULL;
}

void session_rdp_file_name(const struct session *session, char *dst)
{
    const struct terms *terms = session_terms(session);
    rdpfile_name(terms->names_gateway ? terms->gateway : "", terms->host, dst);
}
