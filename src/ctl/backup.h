/* backup: a copy of vps-agent's state file, taken while it runs. */
#ifndef PAMTUNNEL_CTL_BACKUP_H
#define PAMTUNNEL_CTL_BACKUP_H

#include "ctl/invocation.h"

/*
 * Has vps-agent make one, and puts it where it was asked for: a file of mode 0600, on the disk.
 * What came of it, as an answer of vps-agent's (ask.h): a new reference.
 */
json_t *backup(const struct invocation *invocation, const char *socket_path);

#endif
