/*
 * sshid: the identification string with which an SSH client begins
 * (RFC 4253, 4.2): "SSH-2.0-software[ comments]" CR LF, at most 255 bytes.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_SSHID_H
#define PAMTUNNEL_VPS_ADMISSION_SSHID_H

#include <stddef.h>
#include <stdint.h>

enum { SSHID_MAX = 255 };

/*
 * The length of the string at the start of these bytes, with its line end;
 * -EAGAIN if it may become one; -EBADMSG if it cannot any more. What follows
 * it is the client's next message.
 */
long sshid_parse(const uint8_t *data, size_t len);

#endif
