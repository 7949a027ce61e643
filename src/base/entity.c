#include "base/entity.h"

#include <string.h>

const char *entity_of(char character)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

void entity_add(struct text *html, const char *plain)
{
    while (*plain) {
        size_t len = strcspn(plain, ENTITY_CHARACTERS);
        text_put(html, plain, len);
        plain += len;
        if (*plain) {
            const char *entity = entity_of(*plain++);
            text_put(html, entity, strlen(entity));
        }
    }
}
