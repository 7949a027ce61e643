/* backup: another file with all that is in the database at one moment, while it goes on. */
#ifndef PAMTUNNEL_VPS_STORE_BACKUP_H
#define PAMTUNNEL_VPS_STORE_BACKUP_H

#include "vps/store/statement.h"

struct task;

/* done is told 0, -EEXIST if there is a file of that name, or another -errno. NULL: no memory. */
struct task *backup_task(const char *path, statement_done_fn done, void *arg);

#endif
