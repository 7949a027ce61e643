/* doctor: gateway-agent --doctor: is everything as it has to be, and what to do if not. */
#ifndef PAMTUNNEL_GATEWAY_SETUP_DOCTOR_H
#define PAMTUNNEL_GATEWAY_SETUP_DOCTOR_H

/*
 * env_file may be NULL: the environment, and the installed file if it is not complete.
 * Returns the exit status: 0 all is well, 1 something is not, 2 the settings are wrong.
 */
int doctor_run(const char *env_file);

#endif
