#include "vps/setup/doctor_state.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/text.h"
#include "vps/store/database.h"
#include "vps/store/state.h"

enum { ENOUGH_BYTES = 16 * 1024 * 1024 };

static const char ITEM[] = "state file";

/*
 * f_bavail leaves out what is reserved for root: vps-agent has a user of its own. Where the file
 * system does not say, there is nothing to complain about.
 */
static uint64_t free_bytes(const char *path)
{
    struct statvfs disk;
    return statvfs(path, &disk) < 0 ? UINT64_MAX : (uint64_t)disk.f_bavail * disk.f_frsize;
}

/* Whoever may use the folder has to be able to use the file. */
static bool check_owner(struct checkup *checkup, const char *folder_path, const char *path)
{
    struct stat folder, file;
    if (stat(folder_path, &folder) < 0 || stat(path, &file) < 0 || folder.st_uid == file.st_uid) {
        return true;
    }
    checkup_say(checkup, CHECKUP_BAD, ITEM,
                "%s belongs to uid %u, and its folder to uid %u: stop vps-agent, and chown %u %s*",
                path, (unsigned)file.st_uid, (unsigned)folder.st_uid, (unsigned)folder.st_uid,
                path);
    return false;
}

static void say_well(struct checkup *checkup, const char *path, unsigned schema)
{
    char left[32];
    struct text text = text_over(left, sizeof left);
    uint64_t bytes = free_bytes(path);
    text_add_bytes(&text, bytes);
    if (bytes < ENOUGH_BYTES) {
        checkup_say(
            checkup, CHECKUP_BAD, ITEM,
            "%s has only %s left on its disk: once that is full, a restart forgets what is new",
            path, left);
    } else {
        checkup_say(checkup, CHECKUP_OK, ITEM, "%s, schema %u, %s left on its disk", path, schema,
                    left);
    }
}

/* A file that vps-agent puts aside or refuses needs no chown, so its owner is looked at last. */
void doctor_check_state(struct checkup *checkup, const struct vps_settings *settings)
{
    char path[STATE_PATH_MAX];
    unsigned schema = 0;
    int err = database_peek(state_path(settings->state_dir, path), &schema);
    if (err == -ENOENT) {
        checkup_say(checkup, CHECKUP_SKIPPED, ITEM, "%s does not exist yet: vps-agent makes it",
                    path);
    } else if (err == -EUCLEAN) {
        checkup_say(checkup, CHECKUP_BAD, ITEM,
                    "%s is damaged: the next vps-agent keeps it as %s.damaged and starts a new one",
                    path, path);
    } else if (err < 0) {
        checkup_say(checkup, CHECKUP_BAD, ITEM, "%s cannot be read: %s", path, strerror(-err));
    } else if (schema > state_schema()) {
        checkup_say(checkup, CHECKUP_BAD, ITEM,
                    "%s was written by a newer version (its schema is %u, this one knows %u): "
                    "install that version again, or move the file away",
                    path, schema, state_schema());
    } else if (check_owner(checkup, settings->state_dir, path)) {
        say_well(checkup, path, schema);
    }
}
