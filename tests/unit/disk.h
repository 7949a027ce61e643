/*
 * disk: a folder of a test's own in /tmp, and a STATE_DIR in such a folder with the state file
 * as a vps-agent has it:
 *
 *     disk_set_up(), then each time: disk_open(), who reads the file, disk_write() ... disk_close()
 */
#ifndef PAMTUNNEL_TESTS_DISK_H
#define PAMTUNNEL_TESTS_DISK_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "on_loop.h"
#include "vps/settings/settings.h"
#include "vps/store/state.h"

/* Removes the files in it. */
static inline void folder_clear(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder) {
        closedir(folder);
    }
}

struct disk {
    struct vps_settings settings;
    struct log log;
    uv_loop_t loop;
    struct store *store;
};

/* NULL on failure. */
static inline struct disk *disk_set_up(void)
{
    struct disk *disk = calloc(1, sizeof *disk);
    if (!disk) {
        return NULL;
    }
    strcpy(disk->settings.state_dir, "/tmp/test_disk.XXXXXX");
    disk->log = (struct log){.stream = stderr, .level = LOG_WARN};
    if (!mkdtemp(disk->settings.state_dir) || uv_loop_init(&disk->loop) < 0) {
        free(disk);
        return NULL;
    }
    return disk;
}

static inline void disk_open(struct disk *disk)
{
    struct why why;
    assert_int_equal(state_open(disk->settings.state_dir, &disk->log, &disk->store, &why), 0);
}

static inline void disk_write(struct disk *disk)
{
    assert_int_equal(store_start(disk->store, &disk->loop), 0);
}

static inline void disk_close(struct disk *disk)
{
    store_stop(disk->store);
    uv_run(&disk->loop, UV_RUN_NOWAIT);
    store_free(disk->store);
    disk->store = NULL;
}

static inline void disk_tear_down(struct disk *disk)
{
    disk_close(disk); /* as a test that failed leaves it */
    loop_end(&disk->loop);
    folder_clear(disk->settings.state_dir);
    rmdir(disk->settings.state_dir);
    free(disk);
}

/* For cmocka, of tests whose state is the disk. */
static inline int disk_begin(void **state)
{
    *state = disk_set_up();
    return *state ? 0 : -1;
}

static inline int disk_end(void **state)
{
    disk_tear_down(*state);
    return 0;
}

#endif
