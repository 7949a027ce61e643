/*
 * help: rows of --help: a name, and words about it beside it from a column on, wrapped so that
 * no line is wider than HELP_WIDTH.
 */
#ifndef PAMTUNNEL_BASE_HELP_H
#define PAMTUNNEL_BASE_HELP_H

enum {
    HELP_WIDTH = 100,
    HELP_COLUMN = 25, /* of an agent's words */
};

/* Prints one row to stdout. A long list without spaces is broken after a ';'. */
void help_row(unsigned column, const char *name, const char *words);

#endif
