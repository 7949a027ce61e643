/*
 * prompt: questions to the person at the terminal. They are asked on standard error,
 * so that standard output holds nothing but results, and answered on standard input.
 */
#ifndef PAMTUNNEL_BASE_PROMPT_H
#define PAMTUNNEL_BASE_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

/* Somebody is there: standard input is a terminal. */
bool prompt_is_possible(void);

/*
 * One line, without white space around it. The proposal ("" or NULL: none) is shown,
 * and is the answer to an empty line. -ENODATA at the end of the input, -EMSGSIZE if
 * the line does not fit.
 */
int prompt_line(const char *question, const char *proposal, char *dst, size_t cap);
/* The same without a proposal, and the terminal does not show what is typed. */
int prompt_secret(const char *question, char *dst, size_t cap);
/*
 * The same for what may be pasted in several lines, which are kept apart by \n: as long as
 * goes_on says so, and until an empty line (of a person, with nothing pasted behind it) or
 * the end of the input.
 */
int prompt_secret_lines(const char *question, bool (*goes_on)(const char *text), char *dst,
                        size_t cap);
/* An empty line or the end of the input means no; anything but yes or no is asked again. */
bool prompt_yes(const char *question);
/* What has been typed by now is no answer to the question that follows. */
void prompt_forget(void);

#endif
