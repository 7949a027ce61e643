/* Languages of the chat: their tables, whose is whose, and texts that know their reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vps/chat/readers.h"

enum { ANNA = 42, BERT = 43, ARGUMENTS_MAX = 9 };

/* What a phrase takes, in the order of its arguments: "u s llu". False: it cannot be read. */
static bool read_arguments(const char *phrase, char ret[ARGUMENTS_MAX][8])
{
    unsigned next = 0;
    memset(ret, 0, ARGUMENTS_MAX * 8);
    for (const char *at = strchr(phrase, '%'); at; at = strchr(at, '%')) {
        unsigned place = next;
        at++;
        if (*at == '%') {
            at++;
            continue;
        }
        if (at[0] >= '1' && at[0] <= '9' && at[1] == '$') {
            place = (unsigned)(at[0] - '1');
            at += 2;
        }
        next = place + 1;
        at += strspn(at, "0123456789.*-+ #"); /* how it looks may differ */
        size_t len = strspn(at, "hljzt") + 1;
        if (place >= ARGUMENTS_MAX || len >= 8 || !strchr("udscxfi", at[len - 1])) {
            return false;
        }
        memcpy(ret[place], at, len);
        at += len;
    }
    return true;
}

/* A sentence's need not all be used. */
static bool takes_the_same(const struct phrase *phrase, char english[ARGUMENTS_MAX][8],
                           char other[ARGUMENTS_MAX][8])
{
    for (unsigned i = 0; i < ARGUMENTS_MAX; i++) {
        if (strcmp(english[i], other[i]) != 0 && !(phrase->is_sentence && !other[i][0])) {
            return false;
        }
    }
    return true;
}

static void each_phrase_takes_what_its_english_takes(void **state)
{
    (void)state;
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++) {
        struct phrase phrase;
        for (unsigned i = 0; language_row((enum language)language, i, &phrase); i++) {
            char english[ARGUMENTS_MAX][8], other[ARGUMENTS_MAX][8];
            if (!read_arguments(phrase.english, english) || !read_arguments(phrase.other, other) ||
                !takes_the_same(&phrase, english, other)) {
                fail_msg("\"%s\" takes other things than \"%s\"", phrase.other, phrase.english);
            }
        }
    }
}

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what)) {
        found++;
    }
    return found;
}

/* "{gateway}" and the like, in any order. */
static void what_a_clause_stands_for_stays(void **state)
{
    static const char *const FACTS[] = {"{why}",     "{by}",   "{gateway}",
                                        "{timeout}", "{idle}", "{time}"};
    struct phrase phrase;
    (void)state;
    for (unsigned i = 0; language_row(LANGUAGE_GERMAN, i, &phrase); i++) {
        assert_int_equal(count(phrase.english, "{"), count(phrase.other, "{"));
        for (unsigned fact = 0; fact < sizeof FACTS / sizeof *FACTS; fact++) {
            assert_int_equal(count(phrase.english, FACTS[fact]), count(phrase.other, FACTS[fact]));
        }
    }
}

/* What is opened is closed, and lines, blanks and marks at both ends stay. */
static void each_phrase_has_the_form_of_its_english(void **state)
{
    static const char *const FORMS[] = {"<b>", "</b>", "<code>", "</code>", "\n", "⚠", "<", "&"};
    (void)state;
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++) {
        struct phrase phrase;
        for (unsigned i = 0; language_row((enum language)language, i, &phrase); i++) {
            size_t english = strlen(phrase.english), other = strlen(phrase.other);
            assert_true(english > 0 && other > 0);
            for (unsigned form = 0; form < sizeof FORMS / sizeof *FORMS; form++) {
                if (count(phrase.english, FORMS[form]) != count(phrase.other, FORMS[form])) {
                    fail_msg("\"%s\" has another form than \"%s\"", phrase.other, phrase.english);
                }
            }
            assert_int_equal(phrase.english[0] == ' ', phrase.other[0] == ' ');
            assert_int_equal(phrase.english[english - 1] == ' ', phrase.other[other - 1] == ' ');
        }
    }
}

static void no_phrase_is_there_twice(void **state)
{
    (void)state;
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++) {
        struct phrase phrase, earlier;
        for (unsigned i = 0; language_row((enum language)language, i, &phrase); i++) {
            for (unsigned j = 0; j < i; j++) {
                assert_true(language_row((enum language)language, j, &earlier));
                assert_string_not_equal(phrase.english, earlier.english);
            }
        }
    }
}

static void a_code_is_one_of_ours_or_english(void **state)
{
    (void)state;
    assert_int_equal(language_of("de"), LANGUAGE_GERMAN);
    assert_int_equal(language_of("de-AT"), LANGUAGE_GERMAN);
    assert_int_equal(language_of("DE_ch"), LANGUAGE_GERMAN);
    assert_int_equal(language_of("en-GB"), LANGUAGE_ENGLISH);
    assert_int_equal(language_of("den"), LANGUAGE_ENGLISH);
    assert_int_equal(language_of("d"), LANGUAGE_ENGLISH);
    assert_int_equal(language_of(""), LANGUAGE_ENGLISH);
    assert_int_equal(language_of(NULL), LANGUAGE_ENGLISH);
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++) {
        assert_int_equal(language_of(language_code((enum language)language)), language);
    }
}

static void what_nobody_has_translated_is_english(void **state)
{
    char buffer[64];
    struct text text = language_text(LANGUAGE_GERMAN, buffer, sizeof buffer);
    (void)state;
    text_add(&text, "Closed.");
    text_add(&text, " %s", "Closed.");
    assert_string_equal(buffer, "Beendet. Closed.");
    assert_string_equal(text_phrase(&text, "Closed."), "Beendet.");
    assert_string_equal(language_phrase(LANGUAGE_ENGLISH, "Closed."), "Closed.");
}

static const char *in_german(const char *sentence)
{
    static char dst[512];
    char unused[1];
    struct text reader = language_text(LANGUAGE_GERMAN, unused, sizeof unused);
    return language_sentence(&reader, sentence, dst, sizeof dst);
}

static void sentences_from_below_are_told_with_what_is_in_them(void **state)
{
    char unused[1];
    struct text english = language_text(LANGUAGE_ENGLISH, unused, sizeof unused);
    (void)state;
    assert_string_equal(
        in_german("You have too many sessions open: 8 is the limit. Close one first."),
        "Sie haben zu viele Sitzungen offen: Höchstens 8 sind erlaubt. Beenden Sie zuerst eine.");
    assert_string_equal(
        in_german("refused: nas is there, but nothing listens on port 22; is an SSH "
                  "server running?"),
        "abgelehnt: nas ist da, aber auf Port 22 lauscht nichts; läuft dort ein "
        "SSH-Server?");
    assert_string_equal(in_german("No gateway named x is online; a, b are."),
                        "Kein Gateway namens x ist online, nur a, b.");
    assert_string_equal(in_german("You may not reach vault by SSH. Did you mean office?"),
                        "Sie dürfen vault nicht per SSH erreichen. Meinten Sie office?");
    assert_string_equal(in_german("You may not reach vault by SSH."),
                        "Sie dürfen vault nicht per SSH erreichen.");
    /* A stranger's words are no form, and what is not there in whole stays. */
    assert_string_equal(in_german("the machine said: “%s %n”"), "der Rechner sagte: “%s %n”");
    assert_string_equal(in_german("refused: is there, but"), "refused: is there, but");
    assert_string_equal(in_german(""), "");
    assert_string_equal(language_sentence(&english, "Which machine?", unused, 1), "Which machine?");
}

/* One sentence in another: what a gateway found out, and what the system says. */
static void a_sentence_may_hold_others(void **state)
{
    (void)state;
    assert_string_equal(
        in_german("a connection could not be opened: unknown name: gateway lan cannot find nas; "
                  "check the spelling, or use its IP address"),
        "eine Verbindung ließ sich nicht öffnen: unbekannter Name: Gateway lan findet nas nicht; "
        "prüfen Sie die Schreibweise, oder nehmen Sie die IP-Adresse");
    assert_string_equal(in_german("a connection could not be opened: the gateway is offline"),
                        "eine Verbindung ließ sich nicht öffnen: das Gateway ist offline");
    assert_string_equal(in_german("No port could be opened: No space left on device."),
                        "Es ließ sich kein Port öffnen: kein Platz mehr auf dem Datenträger.");
    assert_string_equal(
        in_german("the machine said: “Exceeded MaxStartups”; too many logins are under way there: "
                  "try again in a moment"),
        "der Rechner sagte: “Exceeded MaxStartups”; dort laufen gerade zu viele Anmeldungen: "
        "Versuchen Sie es gleich noch einmal");
    assert_string_equal(in_german("the machine has no certificate for TLS"),
                        "der Rechner hat kein Zertifikat für TLS");
    assert_string_equal(in_german("No gateway is online. Gateway a was last here 3 s ago, from "
                                  "192.0.2.1; b has not logged in since vps-agent started 5 s ago; "
                                  "and 2 more. Try again in a moment."),
                        "Kein Gateway ist online. Gateway a war zuletzt vor 3 s online, von "
                        "192.0.2.1; b hat sich nicht angemeldet, seit vps-agent vor 5 s gestartet "
                        "ist; und 2 weitere. Versuchen Sie es gleich noch einmal.");
    assert_string_equal(
        in_german("No gateway named lan is online. It was last here 3 s ago, from 192.0.2.1."),
        "Kein Gateway namens lan ist online. Es war zuletzt vor 3 s online, von 192.0.2.1.");
    /* Others' words stay, whatever they say. */
    assert_string_equal(in_german("gateway x could not open it: “Permission denied”"),
                        "Gateway x konnte es nicht öffnen: “Permission denied”");
}

static void numbers_have_the_mark_of_their_reader(void **state)
{
    char buffer[64];
    struct text german = language_text(LANGUAGE_GERMAN, buffer, sizeof buffer);
    (void)state;
    text_add_bytes(&german, 1440000);
    assert_string_equal(buffer, "1,4 MB");
    struct text english = language_text(LANGUAGE_ENGLISH, buffer, sizeof buffer);
    text_add_bytes(&english, 1440000);
    assert_string_equal(buffer, "1.4 MB");
}

static void each_reader_has_a_language_and_may_change_it(void **state)
{
    struct readers readers = {0};
    char buffer[64];
    (void)state;
    assert_int_equal(readers_language(&readers, ANNA), LANGUAGE_ENGLISH);
    readers_learn(&readers, ANNA, LANGUAGE_GERMAN);
    readers_learn(&readers, BERT, LANGUAGE_ENGLISH);
    struct text text = readers_text(&readers, ANNA, buffer, sizeof buffer);
    text_add(&text, "Closed.");
    assert_string_equal(buffer, "Beendet.");
    assert_int_equal(readers_language(&readers, BERT), LANGUAGE_ENGLISH);
    readers_learn(&readers, ANNA, LANGUAGE_ENGLISH);
    assert_int_equal(readers_language(&readers, ANNA), LANGUAGE_ENGLISH);
    for (int64_t person = 1; person <= 2 * READERS_MAX; person++) {
        readers_learn(&readers, person, LANGUAGE_GERMAN);
        assert_int_equal(readers_language(&readers, person), LANGUAGE_GERMAN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_phrase_takes_what_its_english_takes),
        cmocka_unit_test(each_phrase_has_the_form_of_its_english),
        cmocka_unit_test(what_a_clause_stands_for_stays),
        cmocka_unit_test(no_phrase_is_there_twice),
        cmocka_unit_test(a_code_is_one_of_ours_or_english),
        cmocka_unit_test(what_nobody_has_translated_is_english),
        cmocka_unit_test(sentences_from_below_are_told_with_what_is_in_them),
        cmocka_unit_test(a_sentence_may_hold_others),
        cmocka_unit_test(numbers_have_the_mark_of_their_reader),
        cmocka_unit_test(each_reader_has_a_language_and_may_change_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
