/* policy_explain: --explain: what the policy says about one request, and by which line. */
#ifndef PAMTUNNEL_VPS_SETUP_POLICY_EXPLAIN_H
#define PAMTUNNEL_VPS_SETUP_POLICY_EXPLAIN_H

/*
 * words: USER KIND TARGET [TIME], the time like "2026-11-28 19:00" by the policy's zone (now, if it
 * is left out). Prints what comes of it. Returns the exit status: 0 if it is allowed, 1 if not, 2
 * if the question or the settings are wrong.
 */
int policy_explain(const char *env_file, char *const *words, unsigned count);

#endif
