/* Runs a workload: opens the clients, starts a thread for each, lets them run for a time, adds up what they saw. */

#include "load.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* After so many errors in a row a client gives up: the server refuses what it is asked for. */
enum { ERRORS_IN_A_ROW_MAX = 100 };

typedef struct {
    client_t client;
    operation_t operation;
    pthread_t thread;
} runner_t;

typedef struct {
    runner_t *runners;
    int count;
    uint32_t *latencies; /* of all runners, sorted */
    size_t calls;
    uint64_t operations;
    totals_t totals;
} group_t;

static atomic_bool stopping;
static int64_t measured_from, measured_until; /* set before the first thread starts */

bool is_stopping(void)
{
    return atomic_load_explicit(&stopping, memory_order_relaxed);
}

void sleep_seconds(double seconds)
{
    time_t whole = (time_t) seconds;
    nanosleep(&(struct timespec){.tv_sec = whole, .tv_nsec = (long) ((seconds - whole) * 1e9)}, NULL);
}

static int64_t microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void *allocate(void *old, size_t count, size_t size)
{
    void *memory = realloc(old, (count ? count : 1) * size);
    if (!memory) {
        fail("out of memory", NULL);
    }
    return memory;
}

static void record(client_t *client, int64_t latency)
{
    if (client->calls == client->capacity) {
        client->capacity = client->capacity ? client->capacity * 2 : 1 << 14;
        client->latencies = allocate(client->latencies, client->capacity, sizeof *client->latencies);
    }
    client->latencies[client->calls++] = latency > UINT32_MAX ? UINT32_MAX : (uint32_t) latency;
}

static void *run_client(void *argument)
{
    runner_t *runner = argument;
    client_t *client = &runner->client;
    int errors_in_a_row = 0;
    while (!is_stopping() && errors_in_a_row < ERRORS_IN_A_ROW_MAX) {
        int64_t start = microseconds();
        int operations = runner->operation(client);
        if (operations == FAILED) {
            client->errors++;
            errors_in_a_row++;
            continue;
        }
        errors_in_a_row = 0;
        int64_t end = microseconds();
        /* By its end, so that calls longer than the warm-up are not left out. */
        if (operations > 0 && end >= measured_from && end < measured_until) {
            record(client, end - start);
            client->operations += operations;
        }
    }
    return NULL;
}

static mongoc_client_t *connect_to(const options_t *options)
{
    bson_error_t error;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(options->uri, &error);
    if (!uri) {
        fail("not a valid URI", &error);
    }
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, options->retry_writes);
    mongoc_client_t *connection = mongoc_client_new_from_uri(uri);
    mongoc_uri_destroy(uri);
    if (!connection) {
        fail("cannot use the URI", NULL);
    }
    mongoc_client_set_error_api(connection, MONGOC_ERROR_API_VERSION_2);
    return connection;
}

/* Every client connects before the clock starts. */
static void ping(client_t *client)
{
    bson_t command = BSON_INITIALIZER;
    bson_error_t error;
    BSON_APPEND_INT32(&command, "ping", 1);
    if (!mongoc_client_command_simple(client->connection, "load", &command, NULL, NULL, &error)) {
        fail("ping", &error);
    }
    bson_destroy(&command);
}

void open_client(client_t *client, const options_t *options, int number)
{
    client->options = options;
    client->random = 0x9E3779B97F4A7C15 * (number + 1);
    client->connection = connect_to(options);
    client->documents = mongoc_client_get_collection(client->connection, "load", "documents");
    client->inserted = mongoc_client_get_collection(client->connection, "load", "inserted");
    client->queue = mongoc_client_get_collection(client->connection, "load", "queue");
    ping(client);
}

void close_client(client_t *client)
{
    if (client->session) {
        mongoc_client_session_destroy(client->session);
    }
    mongoc_read_prefs_destroy(client->scan_preference);
    mongoc_collection_destroy(client->documents);
    mongoc_collection_destroy(client->inserted);
    mongoc_collection_destroy(client->queue);
    mongoc_client_destroy(client->connection);
    free(client->latencies);
}

static group_t open_group(const options_t *options, int count, operation_t operation, int first_number)
{
    group_t group = {.runners = allocate(NULL, count, sizeof(runner_t)), .count = count};
    memset(group.runners, 0, count * sizeof(runner_t));
    for (int i = 0; i < count; i++) {
        group.runners[i].operation = operation;
        open_client(&group.runners[i].client, options, first_number + i);
    }
    return group;
}

static void start_group(group_t *group)
{
    for (int i = 0; i < group->count; i++) {
        if (pthread_create(&group->runners[i].thread, NULL, run_client, &group->runners[i])) {
            fail("cannot start a thread", NULL);
        }
    }
}

static int by_value(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *) left, b = *(const uint32_t *) right;
    return (a > b) - (a < b);
}

static void finish_group(group_t *group)
{
    for (int i = 0; i < group->count; i++) {
        const client_t *client = &group->runners[i].client;
        pthread_join(group->runners[i].thread, NULL);
        group->latencies = allocate(group->latencies, group->calls + client->calls, sizeof *group->latencies);
        if (client->calls > 0) {
            memcpy(group->latencies + group->calls, client->latencies, client->calls * sizeof *group->latencies);
        }
        group->calls += client->calls;
        group->operations += client->operations;
        group->totals.errors += client->errors;
        group->totals.updates += client->updates;
        group->totals.commits += client->commits;
        group->totals.attempts += client->attempts;
        group->totals.conflicts += client->conflicts;
    }
    if (group->calls > 0) {
        qsort(group->latencies, group->calls, sizeof *group->latencies, by_value);
    }
}

static void close_group(group_t *group)
{
    for (int i = 0; i < group->count; i++) {
        close_client(&group->runners[i].client);
    }
    free(group->latencies);
    free(group->runners);
}

static double milliseconds_at(const group_t *group, int percent)
{
    return group->calls ? group->latencies[group->calls * percent / 100] / 1000.0 : 0;
}

static void report(const options_t *options, const group_t *clients)
{
    printf("%s clients=%d ops/s=%.0f p50=%.3f p99=%.3f errors=%" PRIu64, options->workload, options->clients,
           clients->operations / options->seconds, milliseconds_at(clients, 50), milliseconds_at(clients, 99),
           clients->totals.errors);
}

static void report_analysts(const options_t *options, const group_t *analysts)
{
    printf(" analysts=%d scans/s=%.2f scan_p50=%.1f scan_errors=%" PRIu64, options->analysts,
           analysts->calls / options->seconds, milliseconds_at(analysts, 50), analysts->totals.errors);
}

static void prefer_secondary(group_t *analysts)
{
    for (int i = 0; i < analysts->count; i++) {
        analysts->runners[i].client.scan_preference = mongoc_read_prefs_new(MONGOC_READ_SECONDARY);
    }
}

static void run_groups(const options_t *options, group_t *clients, group_t *helpers)
{
    measured_from = microseconds() + (int64_t) (options->warm_up * 1e6);
    measured_until = measured_from + (int64_t) (options->seconds * 1e6);
    start_group(clients);
    start_group(helpers);
    sleep_seconds(options->warm_up + options->seconds);
    atomic_store(&stopping, true);
    finish_group(clients);
    finish_group(helpers);
}

/* False if calls failed, or if the server does not hold exactly what it acknowledged. */
bool run_workload(const options_t *options, const workload_t *workload)
{
    group_t clients = open_group(options, options->clients, workload->operation, 0);
    group_t helpers = open_group(options, workload->helper ? 1 : options->analysts,
                                 workload->helper ? workload->helper : scan, options->clients);
    client_t *first = &clients.runners[0].client;
    if (options->analysts_read_secondary) {
        prefer_secondary(&helpers);
    }
    workload->prepare(first);
    run_groups(options, &clients, &helpers);
    report(options, &clients);
    if (options->analysts > 0) {
        report_analysts(options, &helpers);
    }
    if (options->indexed) {
        print_index_seconds();
    }
    bool exact = true;
    if (workload->verify) {
        exact = workload->verify(first, &clients.totals);
        printf(" exact=%s", exact ? "yes" : "no");
    }
    printf("\n");
    bool done = exact && clients.totals.errors == 0 && helpers.totals.errors == 0;
    close_group(&clients);
    close_group(&helpers);
    return done;
}
