/*
 * Runs a fuzz target without libFuzzer: on every file of the corpus, then on mutations of them.
 *
 *     fuzz_NAME RUNS CORPUS-FOLDER
 *
 * The mutations come from a fixed seed: a run that fails, fails again. It finds what short-sighted
 * mutations find; scripts/fuzz looks further, guided by coverage.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MAX = 4096, CORPUS_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t data[INPUT_MAX];
    size_t size;
};

static struct input corpus[CORPUS_MAX];
static size_t corpus_count;
static int last_input; /* a file */

/* xorshift64*: small, and the same on every machine. */
static uint64_t next_random(void)
{
    static uint64_t state = 0x70616d74756e6e65;

    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
}

static size_t random_below(size_t limit)
{
    return (size_t)(next_random() >> 16) % limit;
}

static void mutate_once(struct input *input)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '\n', '\r', ' ', '0', '/', ':'};
    const struct input *other = &corpus[random_below(corpus_count)];
    size_t at = input->size > 0 ? random_below(input->size) : 0;
    size_t len;

    switch (random_below(6)) {
    case 0: /* flip a bit */
        if (input->size > 0)
            input->data[at] ^= (uint8_t)(1U << random_below(8));
        break;
    case 1: /* a byte that is often special */
        if (input->size > 0)
            input->data[at] = edges[random_below(sizeof(edges))];
        break;
    case 2: /* cut the end off */
        input->size = at;
        break;
    case 3: /* take some bytes out */
        len = input->size - at > 0 ? random_below(input->size - at) : 0;
        memmove(input->data + at, input->data + at + len, input->size - at - len);
        input->size -= len;
        break;
    case 4: /* insert a byte */
        if (input->size < INPUT_MAX) {
            memmove(input->data + at + 1, input->data + at, input->size - at);
            input->data[at] = (uint8_t)next_random();
            input->size++;
        }
        break;
    default: /* go on with the tail of another example */
        if (other->size > 0) {
            size_t from = random_below(other->size);
            len = other->size - from;
            if (len > INPUT_MAX - at)
                len = INPUT_MAX - at;
            memcpy(input->data + at, other->data + from, len);
            input->size = at + len;
        }
    }
}

/*
 * The input goes to a file first: however the target dies, it stays there and can join the corpus.
 * The target gets a copy of exactly that size, so that sanitizers see a read past the end.
 */
static void run(const struct input *input)
{
    uint8_t *copy = malloc(input->size > 0 ? input->size : 1);

    if (copy == NULL)
        err(1, "malloc");
    memcpy(copy, input->data, input->size);
    if (pwrite(last_input, copy, input->size, 0) < 0 || ftruncate(last_input, (off_t)input->size))
        err(1, "saving the input");
    LLVMFuzzerTestOneInput(copy, input->size);
    free(copy);
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static void load_corpus(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, by_name);

    if (count < 0)
        err(1, "%s", folder);
    for (int i = 0; i < count && corpus_count < CORPUS_MAX; i++) {
        struct input *input = &corpus[corpus_count];
        char path[PATH_MAX];
        FILE *file;

        if (entries[i]->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        file = fopen(path, "rb");
        if (file == NULL)
            err(1, "%s", path);
        input->size = fread(input->data, 1, INPUT_MAX, file);
        fclose(file);
        corpus_count++;
    }
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

int main(int argc, char **argv)
{
    unsigned long runs;
    char saved[PATH_MAX];

    if (argc != 3)
        errx(2, "usage: fuzz_NAME RUNS CORPUS-FOLDER");
    runs = strtoul(argv[1], NULL, 10);
    snprintf(saved, sizeof(saved), "%s.input", argv[0]);
    last_input = open(saved, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (last_input < 0)
        err(1, "%s", saved);
    printf("should this fail, the input is in %s\n", saved);
    fflush(stdout);

    load_corpus(argv[2]);
    if (corpus_count == 0)
        corpus_count = 1; /* the empty input */
    for (size_t i = 0; i < corpus_count; i++)
        run(&corpus[i]);
    for (unsigned long i = 0; i < runs; i++) {
        struct input input = corpus[random_below(corpus_count)];

        for (size_t n = 1 + random_below(8); n > 0; n--)
            mutate_once(&input);
        run(&input);
    }
    unlink(saved);
    printf("%zu examples, %lu mutations\n", corpus_count, runs);
    return 0;
}
