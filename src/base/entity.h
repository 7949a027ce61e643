/* entity: the characters that mean something in HTML, and what is written in their place. */
#ifndef PAMTUNNEL_BASE_ENTITY_H
#define PAMTUNNEL_BASE_ENTITY_H

/* Also within attributes, between double quotes. */
#define ENTITY_CHARACTERS "&<>\""

/* "&amp;"; NULL: the character stands for itself. */
const char *entity_of(char character);

#endif
