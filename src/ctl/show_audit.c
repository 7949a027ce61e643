/* What vps-agent answered about the audit as a whole, for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/field.h"
#include "ctl/show.h"

/* Those that hold together, and where that ends. */
static void show_whole(const json_t *reply)
{
    const json_t *head = json_object_get(reply, "head");
    printf("%" PRId64 " records hold together, from #%" PRId64 " to #%" PRId64 " %.32s.\n",
           field_number(reply, "records"), field_number(reply, "first"), field_number(head, "seq"),
           field_text(head, "hash"));
}

/* What the anchor proves, and what follows it. */
static void show_proof(const json_t *reply)
{
    int64_t anchor = field_number(reply, "anchor");
    int64_t after = field_number(json_object_get(reply, "head"), "seq") - anchor;
    if (anchor == 0) {
        puts("That proves nothing against somebody who could write the file: give a number and a "
             "hash\nthat were noted elsewhere, as a message of the bot has them.");
        return;
    }
    printf("#%" PRId64 " is the record that was noted: nothing up to it was changed or taken "
           "away.\n",
           anchor);
    if (after > 0) {
        printf("The %" PRId64 " after it are not proven by that.\n", after);
    }
}

void show_verdict(const json_t *reply)
{
    /* Before and behind the number of the record at which it is found. */
    static const struct {
        const char *verdict, *before, *behind;
    } SENTENCES[] = {
        {"altered", "Record #", "was changed after it was written."},
        {"torn", "Record #", "does not follow on the one before: some were taken out."},
        {"headless", "What was before record #", "is gone, and nothing tells of that."},
    };
    const char *verdict = field_text(reply, "verdict");
    for (size_t i = 0; i < sizeof SENTENCES / sizeof *SENTENCES; i++) {
        if (strcmp(SENTENCES[i].verdict, verdict) == 0) {
            printf("%s%" PRId64 " %s\n", SENTENCES[i].before, field_number(reply, "at"),
                   SENTENCES[i].behind);
        }
    }
    show_whole(reply);
    if (strcmp(verdict, "whole") == 0) {
        show_proof(reply);
    } else if (strcmp(verdict, "anchor_differs") == 0) {
        printf("But #%" PRId64 " is another record than the one that was noted: the audit was "
               "written anew.\n",
               field_number(reply, "anchor"));
    } else if (strcmp(verdict, "anchor_missing") == 0) {
        printf("But #%" PRId64 ", which was noted, is not among them: the end was cut off, or this "
               "is an older copy.\n",
               field_number(reply, "anchor"));
    } else if (strcmp(verdict, "anchor_pruned") == 0) {
        printf("#%" PRId64 " was removed for its age (AUDIT_DAYS), so that nothing can be said of "
               "it.\n",
               field_number(reply, "anchor"));
    }
}

void show_backup(const json_t *reply)
{
    printf("%s has it all, and keys among it: keep it to yourself. To restore it, stop vps-agent, "
           "copy it to\nstate.db in STATE_DIR, take away state.db-wal and state.db-shm, and start "
           "vps-agent.\n",
           field_text(reply, "file"));
}
