/* show_gateways: answers about gateways and their keys, for people. As show.h. */
#ifndef PAMTUNNEL_CTL_SHOW_GATEWAYS_H
#define PAMTUNNEL_CTL_SHOW_GATEWAYS_H

#include <jansson.h>

void show_gateway_list(const json_t *reply);
/* The join string and its command on standard output, what to do with them on standard error. */
void show_gateway_added(const json_t *reply);
void show_gateway_rotated(const json_t *reply);
void show_gateway_removed(const json_t *reply);
/* One machine a line: its name, its address, and by what it was found. */
void show_discovered(const json_t *reply);

#endif
