#include "ctl/show_applicants.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"
#include "ctl/field.h"

enum { SPAN_MAX = 64 };

static const char *span_of(const json_t *object, const char *key, char dst[SPAN_MAX])
{
    struct text text = text_over(dst, SPAN_MAX);
    text_add_seconds(&text, (uint64_t)json_integer_value(json_object_get(object, key)));
    return dst;
}

static void show_applicant(const json_t *applicant)
{
    char span[SPAN_MAX];
    const char *name = field_text(applicant, "name"), *code = field_text(applicant, "code");
    printf("Gateway %s at %s (%s) asks to be paired, and shows %s.\n", name,
           field_text(applicant, "address"), field_text(applicant, "version"), code);
    if (json_is_true(json_object_get(applicant, "replaces"))) {
        printf("There is a gateway %s already, which is away: letting this one in gives it "
               "another key.\n",
               name);
    }
    if (field_text(applicant, "resembles")[0]) {
        printf("It is not %s, which is another gateway here.\n",
               field_text(applicant, "resembles"));
    }
    if (json_is_true(json_object_get(applicant, "let_in"))) {
        puts("Somebody has let it in: it is about to keep its key.");
        return;
    }
    printf("If its own log or terminal shows the same code: pamctl gateway accept %.3s%s\n"
           "If it shows another one, or none:               pamctl gateway deny %.3s%s\n"
           "It waits for %s.\n",
           code, code + 4, code, code + 4, span_of(applicant, "expires_in", span));
}

void show_gateway_pending(const json_t *reply)
{
    const json_t *applicant = json_object_get(reply, "pending");
    bool open = json_integer_value(json_object_get(reply, "open_for")) > 0;
    char span[SPAN_MAX];
    if (json_is_object(applicant)) {
        show_applicant(applicant);
    } else if (open) {
        printf("Gateways that ask to be paired are heard for %s. None has asked yet: start "
               "gateway-agent with nothing but VPS_HOST.\n",
               span_of(reply, "open_for", span));
    } else {
        puts("No gateway asks to be paired, and none would be heard: pamctl gateway pair has them "
             "heard for ten minutes.");
    }
}

void show_gateway_accepted(const json_t *reply)
{
    printf("Gateway %s is paired: it logs in with a key of its own from now on.\n",
           field_text(reply, "gateway"));
}

void show_gateway_denied(const json_t *reply)
{
    printf("Gateway %s was refused. Nothing from its network is heard until pamctl gateway pair.\n",
           field_text(reply, "gateway"));
}
