/*
 * reserve: room on a disk that is kept, as a file of zeros, for the hour when the disk is full:
 * whoever gives it up then can still write down what happens, and say so.
 */
#ifndef PAMTUNNEL_VPS_STORE_RESERVE_H
#define PAMTUNNEL_VPS_STORE_RESERVE_H

#include <stdbool.h>

enum { RESERVE_SIZE = 1024 * 1024 };

/*
 * 0 if it is there or was made; -ENOSPC or -EDQUOT if there is not room for it and as much again,
 * so that it does not come and go with every byte; or another -errno.
 */
int reserve_make(const char *path);
/* True if there was one. */
bool reserve_give(const char *path);

#endif
