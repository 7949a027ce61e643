#include "base/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_there(const char *folder, const char *service, const char *suffix)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s%s", folder, service, suffix);
    return access(path, F_OK) == 0;
}

const char *service_sudo(void)
{
    return geteuid() != 0 || getenv("SUDO_UID") ? "sudo " : "";
}

void service_start_command(struct text *text, const char *service, const char *program,
                           const char *env_file)
{
    static const char *const UNITS[] = {"/etc/systemd/system", "/usr/lib/systemd/system",
                                        "/lib/systemd/system"};
    char installed[256];
    snprintf(installed, sizeof installed, "/etc/pamtunnel/%s.env", program);
    bool reads_it = env_file && strcmp(installed, env_file) == 0;
    for (unsigned i = 0; reads_it && i < sizeof UNITS / sizeof *UNITS; i++) {
        if (is_there(UNITS[i], service, ".service")) {
            text_add(text, "%ssystemctl enable %s && %ssystemctl restart %s", service_sudo(),
                     service, service_sudo(), service);
            return;
        }
    }
    if (reads_it && is_there("/etc/init.d", service, "")) {
        text_add(text, "%s/etc/init.d/%s restart", service_sudo(), service);
        return;
    }
    text_add(text, "%s%s%s", program, env_file ? " --env-file " : "", env_file ? env_file : "");
}
