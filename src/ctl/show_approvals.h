/* show_approvals: answers about requests that wait for others, for people. As show.h. */
#ifndef PAMTUNNEL_CTL_SHOW_APPROVALS_H
#define PAMTUNNEL_CTL_SHOW_APPROVALS_H

#include <jansson.h>

void show_approvals(const json_t *reply);
void show_approved(const json_t *reply);
void show_denied(const json_t *reply);

#endif
