/* show: what vps-agent answered, for people. */
#ifndef PAMTUNNEL_CTL_SHOW_H
#define PAMTUNNEL_CTL_SHOW_H

#include <jansson.h>

/* All of them print to stdout and read replies leniently: see show.c. */
void show_status(const json_t *reply);
void show_sessions(const json_t *reply);
/* The line to paste, by itself. */
void show_line(const json_t *reply);
void show_file(const json_t *reply);
void show_closed(const json_t *reply);
void show_extended(const json_t *reply);
void show_decided(const json_t *reply);
void show_known(const json_t *reply);
void show_forgotten(const json_t *reply);
/* What has changed, one setting per line. */
void show_reloaded(const json_t *reply);
/* How many sessions are left, and whether a restart is safe. */
void show_drain(const json_t *reply);
void show_verdict(const json_t *reply);
void show_backup(const json_t *reply);
/* It was printed already. */
void show_report(const json_t *reply);
void show_nothing(const json_t *reply);
void show_locked(const json_t *reply);
/* The sessions in a failure that lists them. */
void show_left(const json_t *reply);

#endif
