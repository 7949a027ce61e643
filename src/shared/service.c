#include "shared/service.h"

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

static bool has_unit(const char *service)
{
    static const char *const UNITS[] = {"/etc/systemd/system", "/usr/lib/systemd/system",
                                        "/lib/systemd/system"};
    unsigned i = 0, count = sizeof UNITS / sizeof *UNITS;
    while (i < count && !is_there(UNITS[i], service, ".service")) {
        i++;
    }
    return i < count;
}

void service_start_command(struct text *text, const char *service, const char *program,
                           const char *env_file)
{
    char installed[256];
    snprintf(installed, sizeof installed, "/etc/pamtunnel/%s.env", program);
    bool reads_it = env_file && strcmp(installed, env_file) == 0;
    const char *sudo = service_sudo();
    if (reads_it && has_unit(service)) {
        text_add(text, "%ssystemctl enable %s && %ssystemctl restart %s", sudo, service, sudo,
                 service);
    } else if (reads_it && is_there("/etc/init.d", service, "")) {
        text_add(text, "%s/etc/init.d/%s restart", sudo, service);
    } else {
        text_add(text, "%s%s%s", program, env_file ? " --env-file " : "", env_file ? env_file : "");
    }
}

void service_stop_command(struct text *text, const char *service)
{
    if (has_unit(service)) {
        text_add(text, "%ssystemctl stop %s", service_sudo(), service);
    } else if (is_there("/etc/init.d", service, "")) {
        text_add(text, "%s/etc/init.d/%s stop", service_sudo(), service);
    } else {
        text_add(text, "with Ctrl-C, or as its service");
    }
}
