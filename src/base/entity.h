/* entity: the characters that mean something in HTML, and what is written in their place. */
#ifndef PAMTUNNEL_BASE_ENTITY_H
#define PAMTUNNEL_BASE_ENTITY_H

#include "base/text.h"

/* Also within attributes, between double quotes. */
#define ENTITY_CHARACTERS "&<>\""

/* "&amp;"; NULL: the character stands for itself. */
const char *entity_of(char character);
/* Adds the words as they are, whatever is in them. */
void entity_add(struct text *html, const char *plain);

#endif
