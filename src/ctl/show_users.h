/* show_users: answers about people, for people. As show.h. */
#ifndef PAMTUNNEL_CTL_SHOW_USERS_H
#define PAMTUNNEL_CTL_SHOW_USERS_H

#include <jansson.h>

void show_user_list(const json_t *reply);
/* The link by itself in the first line, and then as a QR code. */
void show_user_invited(const json_t *reply);
void show_user_removed(const json_t *reply);

#endif
