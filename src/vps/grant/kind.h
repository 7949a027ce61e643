/* kind: what a session is for. */
#ifndef PAMTUNNEL_VPS_GRANT_KIND_H
#define PAMTUNNEL_VPS_GRANT_KIND_H

enum kind { KIND_SSH, KIND_RDP };

const char *kind_name(enum kind kind); /* "ssh" */

#endif
