/* lock: a folder is one process's alone, until it closes the descriptor or dies. */
#ifndef PAMTUNNEL_VPS_STORE_LOCK_H
#define PAMTUNNEL_VPS_STORE_LOCK_H

/*
 * A descriptor that holds the lock, or -errno: -EWOULDBLOCK if another process has it.
 * The lock is on the folder itself, so that no file is left behind.
 */
int lock_folder(const char *path);

#endif
