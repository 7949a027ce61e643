/*
 * qr: a text as a QR code (ISO/IEC 18004, byte mode, the lowest level of error correction: nothing
 * wears a screen out) that phones read from a terminal.
 */
#ifndef PAMTUNNEL_CTL_QR_H
#define PAMTUNNEL_CTL_QR_H

#include <stdio.h>

enum qr_form {
    QR_BLOCKS,   /* half blocks of UTF-8, two rows a line, in the colours that there are */
    QR_COLOURED, /* the same in white on black, whatever the colours of the terminal */
    QR_SPACES,   /* blanks on white or black, one row a line: where there is no UTF-8 */
};

/* What suits this output, by whether it is a terminal and by what the locale says. */
enum qr_form qr_form_for(FILE *out);

/*
 * Draws it, with a quiet zone, light on dark. What is drawn says what the text says, and goes the
 * same ways. 0; -E2BIG if the text is empty or too long for a code, or -ENOMEM.
 */
int qr_draw(const char *text, enum qr_form form, FILE *out);

#endif
