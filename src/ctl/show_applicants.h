/* show_applicants: answers about gateways that ask to be paired, for people. As show.h. */
#ifndef PAMTUNNEL_CTL_SHOW_APPLICANTS_H
#define PAMTUNNEL_CTL_SHOW_APPLICANTS_H

#include <jansson.h>

/* Of "gateway pair" and "gateway pending". */
void show_gateway_pending(const json_t *reply);
void show_gateway_accepted(const json_t *reply);
void show_gateway_denied(const json_t *reply);

#endif
