/* Arguments, the table of workloads, errors.
 *
 * Output: one line, `<workload> clients=N ops/s=N p50=ms p99=ms errors=N`, then what only some workloads have, as
 * `name=value`. The exit status is 0 if no call failed and the server holds what it acknowledged. */

#include "load.h"

#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_BYTES_MAX = 1 << 20 };

static const workload_t workloads[] = {
    {"bulk", insert_bulk, prepare_nothing, NULL, NULL},
    {"insert", insert_one, prepare_nothing, NULL, NULL},
    {"read", read_one, prepare_documents, NULL, NULL},
    {"update", update_one, prepare_increments, verify_increments, NULL},
    {"hot", update_hot, prepare_increments, verify_increments, NULL},
    {"zipf", update_by_key, prepare_increments, verify_increments, NULL},
    {"mixed", read_or_update, prepare_increments, verify_increments, NULL},
    {"scan", scan, prepare_documents, NULL, NULL},
    {"find", find_by_group, prepare_documents, NULL, NULL},
    {"queue", pop, prepare_queue, verify_queue, refill},
    {"transfer", transfer, prepare_transfers, verify_transfers, NULL},
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0] };

static atomic_int errors_shown;

void fail(const char *what, const bson_error_t *error)
{
    fprintf(stderr, "load: %s%s%s\n", what, error ? ": " : "", error ? error->message : "");
    exit(1);
}

/* Errors are counted; the first few are shown, so that a wrong set-up is seen at once. */
int failed(const char *what, const bson_error_t *error)
{
    if (atomic_fetch_add(&errors_shown, 1) < 3) {
        fprintf(stderr, "load: %s: %s\n", what, error->message);
    }
    return FAILED;
}

static void usage(void)
{
    fprintf(stderr, "usage: load [--uri U] [--workload");
    for (int i = 0; i < WORKLOADS; i++) {
        fprintf(stderr, "%c%s", i ? '|' : ' ', workloads[i].name);
    }
    fprintf(stderr,
            "]\n"
            "    [--clients N] [--seconds S] [--warm-up S] [--documents D] [--size BYTES] [--retry-writes on|off]\n"
            "    [--indexes on|off]            three secondary indexes on the documents; `find` needs them\n"
            "    [--keys K] [--skew S]         zipf, transfer: documents that are changed, exponent (0: all alike)\n"
            "    [--analysts N] [--analysts-read primary|secondary]   clients that scan beside the others\n"
            "usage: load [--uri U] --command JSON   sends one command to `admin`, prints the reply as JSON\n");
    exit(2);
}

static int whole(const char *text, int minimum, int maximum)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*end || number < minimum || number > maximum) {
        usage();
    }
    return (int) number;
}

static double real(const char *text, double minimum, double maximum)
{
    char *end;
    double number = strtod(text, &end);
    if (*end || !(number >= minimum && number <= maximum)) {
        usage();
    }
    return number;
}

static bool is_first(const char *text, const char *first, const char *second)
{
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0) {
        usage();
    }
    return strcmp(text, first) == 0;
}

static void set_option(options_t *options, int name, const char *text)
{
    switch (name) {
    case 'u': options->uri = text; break;
    case 'w': options->workload = text; break;
    case 'C': options->command = text; break;
    case 'c': options->clients = whole(text, 1, 10000); break;
    case 's': options->seconds = real(text, 0.01, 86400); break;
    case 'W': options->warm_up = real(text, 0, 86400); break;
    case 'd': options->documents = whole(text, 1, 100000000); break;
    case 'b': options->size = whole(text, 1, SIZE_BYTES_MAX); break;
    case 'k': options->keys = whole(text, 1, 100000000); break;
    case 'z': options->skew = real(text, 0, 10); break;
    case 'a': options->analysts = whole(text, 0, 1000); break;
    case 'r': options->analysts_read_secondary = is_first(text, "secondary", "primary"); break;
    case 'R': options->retry_writes = is_first(text, "on", "off"); break;
    case 'i': options->indexed = is_first(text, "on", "off"); break;
    default: usage();
    }
}

static options_t parse(int count, char **arguments)
{
    static const struct option names[] = {
        {"uri", required_argument, 0, 'u'},      {"workload", required_argument, 0, 'w'},
        {"command", required_argument, 0, 'C'},  {"clients", required_argument, 0, 'c'},
        {"seconds", required_argument, 0, 's'},  {"warm-up", required_argument, 0, 'W'},
        {"size", required_argument, 0, 'b'},     {"documents", required_argument, 0, 'd'},
        {"keys", required_argument, 0, 'k'},     {"skew", required_argument, 0, 'z'},
        {"analysts", required_argument, 0, 'a'}, {"analysts-read", required_argument, 0, 'r'},
        {"retry-writes", required_argument, 0, 'R'}, {"indexes", required_argument, 0, 'i'},
        {0, 0, 0, 0},
    };
    options_t options = {
        .uri = "mongodb://127.0.0.1:27017/", .workload = "read", .clients = 32, .seconds = 10, .documents = 20000,
        .size = 1200, .skew = 0.99, .analysts_read_secondary = true, .retry_writes = true,
    };
    int name;
    while ((name = getopt_long(count, arguments, "", names, NULL)) != -1) {
        set_option(&options, name, optarg);
    }
    if (optind < count || options.keys > options.documents) {
        usage();
    }
    options.keys = options.keys ? options.keys : options.documents;
    return options;
}

static const workload_t *find_workload(const char *name)
{
    for (int i = 0; i < WORKLOADS; i++) {
        if (strcmp(workloads[i].name, name) == 0) {
            return &workloads[i];
        }
    }
    usage();
    return NULL;
}

static bool run_command(const options_t *options)
{
    bson_error_t error;
    bson_t reply, *command = bson_new_from_json((const uint8_t *) options->command, -1, &error);
    client_t client = {0};
    if (!command) {
        fail("not a command", &error);
    }
    open_client(&client, options, 0);
    if (!mongoc_client_command_simple(client.connection, "admin", command, NULL, &reply, &error)) {
        fail("command", &error);
    }
    char *text = bson_as_relaxed_extended_json(&reply, NULL);
    printf("%s\n", text);
    bson_free(text);
    bson_destroy(&reply);
    bson_destroy(command);
    close_client(&client);
    return true;
}

int main(int count, char **arguments)
{
    options_t options = parse(count, arguments);
    const workload_t *workload = find_workload(options.workload);
    if (workload->helper && options.analysts > 0) {
        usage();
    }
    make_padding(options.size);
    set_up_keys(options.keys, options.skew);
    mongoc_init();
    /* It would warn of each abort of a transaction that a conflict has ended already. */
    mongoc_log_set_handler(NULL, NULL);
    bool done = options.command ? run_command(&options) : run_workload(&options, workload);
    mongoc_cleanup();
    tear_down_keys();
    return done ? 0 : 1;
}
