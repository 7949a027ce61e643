/* names_check: for --doctor: how names that no name server knows can be asked for from here. */
#ifndef PAMTUNNEL_GATEWAY_SETUP_NAMES_CHECK_H
#define PAMTUNNEL_GATEWAY_SETUP_NAMES_CHECK_H

#include <stdbool.h>

#include "shared/checkup.h"

/* discover: the setting. */
void names_check(struct checkup *checkup, bool discover);

#endif
