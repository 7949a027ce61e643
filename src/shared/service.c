#include "shared/service.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct service SERVICE_VPS = {"pamtunnel-vps", "vps-agent", VPS_ENV_FILE};
const struct service SERVICE_GATEWAY = {"pamtunnel-gateway", "gateway-agent", GATEWAY_ENV_FILE};

static bool is_there(const char *folder, const char *service, const char *suffix)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s%s", folder, service, suffix);
    return access(path, F_OK) == 0;
}

/* Under sudo this process is root, but the shell that the person goes on in is not. */
const char *service_sudo(void)
{
    return geteuid() != 0 || getenv("SUDO_UID") ? "sudo " : "";
}

/* The administrator's folder first, then those of packages, as systemd looks for it. */
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

/*
 * A service that reads another env file would start with other settings than the
 * person just made.
 */
void service_start_command(struct text *text, const struct service *service, const char *env_file)
{
    bool reads_it = env_file && strcmp(service->env_file, env_file) == 0;
    const char *sudo = service_sudo();
    if (reads_it && has_unit(service->unit)) {
        text_add(text, "%ssystemctl enable %s && %ssystemctl restart %s", sudo, service->unit, sudo,
                 service->unit);
    } else if (reads_it && is_there("/etc/init.d", service->unit, "")) {
        text_add(text, "%s/etc/init.d/%s restart", sudo, service->unit);
    } else {
        text_add(text, "%s%s%s", service->program, env_file ? " --env-file " : "",
                 env_file ? env_file : "");
    }
}

void service_stop_command(struct text *text, const struct service *service)
{
    if (has_unit(service->unit)) {
        text_add(text, "%ssystemctl stop %s", service_sudo(), service->unit);
    } else if (is_there("/etc/init.d", service->unit, "")) {
        text_add(text, "%s/etc/init.d/%s stop", service_sudo(), service->unit);
    } else {
        text_add(text, "with Ctrl-C, or as its service");
    }
}

void service_add_env_file(struct text *text, const struct service *service, const char *env_file)
{
    if (strcmp(env_file, service->env_file) != 0) {
        text_add(text, " --env-file %s", env_file);
    }
}

void service_print_commands(const struct service *service, const char *env_file, const char *reload)
{
    char start[512] = "", check[512] = "";
    struct text start_text = text_over(start, sizeof start);
    struct text check_text = text_over(check, sizeof check);
    service_start_command(&start_text, service, env_file);
    text_add(&check_text, "%s%s --doctor", service_sudo(), service->program);
    service_add_env_file(&check_text, service, env_file);
    printf("%-10s %s\nCheck it:  %s\n",
           reload ? "Reload it:" : "Start it:", reload ? reload : start, check);
}
