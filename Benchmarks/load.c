/* A load generator: closed loop, one thread and one connection per client. It must cost little beside the server it
 * measures, hence C and libmongoc.
 *
 * Output: one line, `<workload> clients=N ops/s=N p50=ms p99=ms errors=N`. */

#include <getopt.h>
#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, SIZE_MAX_BYTES = 1 << 20 };

typedef struct {
    const char *uri;
    const char *workload;
    int clients;
    int seconds;
    int documents;
    int size;
    char *padding;
} options_t;

typedef struct client {
    const options_t *options;
    const struct workload *workload;
    mongoc_client_t *connection;
    mongoc_collection_t *documents;
    mongoc_collection_t *inserted;
    uint64_t random;
    uint32_t *latencies; /* microseconds, one per call */
    size_t calls, capacity;
    uint64_t operations, errors;
} client_t;

/* One call of the closed loop. Returns the number of operations done, 0 for an error. */
typedef int (*operation_t)(client_t *);

typedef struct workload {
    const char *name;
    operation_t operation;
    bool needs_documents;
} workload_t;

static atomic_bool stopping;
static atomic_int errors_shown;

static void fail(const char *what, const bson_error_t *error)
{
    fprintf(stderr, "load: %s%s%s\n", what, error ? ": " : "", error ? error->message : "");
    exit(1);
}

/* Errors are counted; the first few are shown, so that a wrong set-up is seen at once. */
static int failed(const char *what, const bson_error_t *error)
{
    if (atomic_fetch_add(&errors_shown, 1) < 3) {
        fprintf(stderr, "load: %s: %s\n", what, error->message);
    }
    return 0;
}

static int64_t microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* xorshift64: no lock, no system call. */
static uint32_t random_below(client_t *client, uint32_t bound)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return (uint32_t) ((client->random >> 32) * bound >> 32);
}

/* The fields without `_id`, padded to about the size asked for. */
static void append_fields(bson_t *document, const options_t *options, int number)
{
    BSON_APPEND_INT32(document, "n", 0);
    BSON_APPEND_INT32(document, "group", number % 1000);
    BSON_APPEND_UTF8(document, "name", "a document of the load generator");
    BSON_APPEND_DATE_TIME(document, "created", 1700000000000 + number);
    bson_append_utf8(document, "padding", -1, options->padding, options->size);
}

static int read_one(client_t *client)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    const bson_t *row;
    bson_error_t error;
    BSON_APPEND_INT32(&filter, "_id", (int32_t) random_below(client, client->options->documents));
    BSON_APPEND_INT64(&options, "limit", 1);
    BSON_APPEND_BOOL(&options, "singleBatch", true);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(client->documents, &filter, &options, NULL);
    bool found = mongoc_cursor_next(cursor, &row);
    if (!found && !mongoc_cursor_error(cursor, &error)) {
        bson_set_error(&error, 0, 0, "no such document");
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    bson_destroy(&options);
    return found ? 1 : failed("read", &error);
}

static int update(client_t *client, int32_t identifier)
{
    bson_t filter = BSON_INITIALIZER, change = BSON_INITIALIZER, increment;
    bson_error_t error;
    BSON_APPEND_INT32(&filter, "_id", identifier);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$inc", &increment);
    BSON_APPEND_INT32(&increment, "n", 1);
    bson_append_document_end(&change, &increment);
    bool done = mongoc_collection_update_one(client->documents, &filter, &change, NULL, NULL, &error);
    bson_destroy(&filter);
    bson_destroy(&change);
    return done ? 1 : failed("update", &error);
}

static int update_one(client_t *client)
{
    return update(client, (int32_t) random_below(client, client->options->documents));
}

static int update_hot(client_t *client)
{
    return update(client, 0);
}

static int read_or_update(client_t *client)
{
    return random_below(client, 2) ? read_one(client) : update_one(client);
}

static int insert_one(client_t *client)
{
    bson_t document = BSON_INITIALIZER;
    bson_oid_t identifier;
    bson_error_t error;
    bson_oid_init(&identifier, NULL);
    BSON_APPEND_OID(&document, "_id", &identifier);
    append_fields(&document, client->options, (int) client->calls);
    bool done = mongoc_collection_insert_one(client->inserted, &document, NULL, NULL, &error);
    bson_destroy(&document);
    return done ? 1 : failed("insert", &error);
}

/* `first` numbers the `_id`s; below 0 they are ObjectIds. */
static bool insert_batch(mongoc_collection_t *collection, const options_t *options, int first, int count,
                         bson_error_t *error)
{
    bson_t *documents[BATCH];
    for (int i = 0; i < count; i++) {
        documents[i] = bson_new();
        if (first >= 0) {
            BSON_APPEND_INT32(documents[i], "_id", first + i);
        } else {
            bson_oid_t identifier;
            bson_oid_init(&identifier, NULL);
            BSON_APPEND_OID(documents[i], "_id", &identifier);
        }
        append_fields(documents[i], options, first + i);
    }
    bool done = mongoc_collection_insert_many(collection, (const bson_t **) documents, count, NULL, NULL, error);
    for (int i = 0; i < count; i++) {
        bson_destroy(documents[i]);
    }
    return done;
}

static int insert_bulk(client_t *client)
{
    bson_error_t error;
    return insert_batch(client->inserted, client->options, -BATCH, BATCH, &error) ? BATCH : failed("bulk", &error);
}

/* Finds one in a thousand by a field without an index. An operation is a document looked at. */
static int scan(client_t *client)
{
    bson_t filter = BSON_INITIALIZER;
    const bson_t *row;
    bson_error_t error;
    BSON_APPEND_INT32(&filter, "group", (int32_t) random_below(client, 1000));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(client->documents, &filter, NULL, NULL);
    while (mongoc_cursor_next(cursor, &row)) {
    }
    bool done = !mongoc_cursor_error(cursor, &error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    return done ? client->options->documents : failed("scan", &error);
}

static const workload_t workloads[] = {
    {"bulk", insert_bulk, false},  {"insert", insert_one, false},    {"read", read_one, true},
    {"update", update_one, true},  {"hot", update_hot, true},        {"mixed", read_or_update, true},
    {"scan", scan, true},
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0] };

static void record(client_t *client, int64_t latency)
{
    if (client->calls == client->capacity) {
        client->capacity = client->capacity ? client->capacity * 2 : 1 << 16;
        client->latencies = realloc(client->latencies, client->capacity * sizeof *client->latencies);
        if (!client->latencies) {
            fail("out of memory", NULL);
        }
    }
    client->latencies[client->calls++] = latency > UINT32_MAX ? UINT32_MAX : (uint32_t) latency;
}

static void *run_client(void *argument)
{
    client_t *client = argument;
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        int64_t start = microseconds();
        int operations = client->workload->operation(client);
        if (operations == 0) {
            client->errors++;
            continue;
        }
        record(client, microseconds() - start);
        client->operations += operations;
    }
    return NULL;
}

static void open_client(client_t *client, const options_t *options, const workload_t *workload, int number)
{
    client->options = options;
    client->workload = workload;
    client->random = 0x9E3779B97F4A7C15 * (number + 1);
    client->connection = mongoc_client_new(options->uri);
    if (!client->connection) {
        fail("not a valid URI", NULL);
    }
    mongoc_client_set_error_api(client->connection, MONGOC_ERROR_API_VERSION_2);
    client->documents = mongoc_client_get_collection(client->connection, "load", "documents");
    client->inserted = mongoc_client_get_collection(client->connection, "load", "inserted");
}

static void close_client(client_t *client)
{
    mongoc_collection_destroy(client->documents);
    mongoc_collection_destroy(client->inserted);
    mongoc_client_destroy(client->connection);
    free(client->latencies);
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

/* Fills the collection unless it holds exactly the documents wanted; empties the one for inserts. */
static void prepare(client_t *client)
{
    const options_t *options = client->options;
    bson_error_t error;
    mongoc_collection_drop(client->inserted, NULL);
    if (!client->workload->needs_documents) {
        return;
    }
    int64_t count = mongoc_collection_estimated_document_count(client->documents, NULL, NULL, NULL, &error);
    if (count == options->documents) {
        return;
    }
    mongoc_collection_drop(client->documents, NULL);
    for (int first = 0; first < options->documents; first += BATCH) {
        int size = options->documents - first < BATCH ? options->documents - first : BATCH;
        if (!insert_batch(client->documents, options, first, size, &error)) {
            fail("cannot load the documents", &error);
        }
    }
}

static int by_value(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *) left, b = *(const uint32_t *) right;
    return (a > b) - (a < b);
}

static void report(const options_t *options, client_t *clients, double seconds)
{
    uint64_t operations = 0, errors = 0;
    size_t calls = 0;
    for (int i = 0; i < options->clients; i++) {
        calls += clients[i].calls;
        operations += clients[i].operations;
        errors += clients[i].errors;
    }
    uint32_t *all = malloc((calls + 1) * sizeof *all), *next = all;
    if (!all) {
        fail("out of memory", NULL);
    }
    for (int i = 0; i < options->clients; i++) {
        memcpy(next, clients[i].latencies, clients[i].calls * sizeof *all);
        next += clients[i].calls;
    }
    qsort(all, calls, sizeof *all, by_value);
    printf("%s clients=%d ops/s=%.0f p50=%.3f p99=%.3f errors=%llu\n", options->workload, options->clients,
           operations / seconds, calls ? all[calls / 2] / 1000.0 : 0, calls ? all[calls * 99 / 100] / 1000.0 : 0,
           (unsigned long long) errors);
    free(all);
}

static void run(const options_t *options, const workload_t *workload)
{
    client_t *clients = calloc(options->clients, sizeof *clients);
    pthread_t *threads = calloc(options->clients, sizeof *threads);
    if (!clients || !threads) {
        fail("out of memory", NULL);
    }
    for (int i = 0; i < options->clients; i++) {
        open_client(&clients[i], options, workload, i);
        ping(&clients[i]);
    }
    prepare(&clients[0]);
    int64_t start = microseconds();
    for (int i = 0; i < options->clients; i++) {
        if (pthread_create(&threads[i], NULL, run_client, &clients[i])) {
            fail("cannot start a thread", NULL);
        }
    }
    nanosleep(&(struct timespec){.tv_sec = options->seconds}, NULL);
    atomic_store(&stopping, true);
    for (int i = 0; i < options->clients; i++) {
        pthread_join(threads[i], NULL);
    }
    report(options, clients, (microseconds() - start) / 1e6);
    for (int i = 0; i < options->clients; i++) {
        close_client(&clients[i]);
    }
    free(clients);
    free(threads);
}

static void usage(void)
{
    fprintf(stderr, "usage: load [--uri U] [--workload");
    for (int i = 0; i < WORKLOADS; i++) {
        fprintf(stderr, "%c%s", i ? '|' : ' ', workloads[i].name);
    }
    fprintf(stderr, "] [--clients N] [--seconds S] [--documents D] [--size BYTES]\n");
    exit(2);
}

static int positive(const char *text, int maximum)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*end || number < 1 || number > maximum) {
        usage();
    }
    return (int) number;
}

static options_t parse(int count, char **arguments)
{
    static const struct option names[] = {
        {"uri", required_argument, 0, 'u'},     {"workload", required_argument, 0, 'w'},
        {"clients", required_argument, 0, 'c'}, {"seconds", required_argument, 0, 's'},
        {"size", required_argument, 0, 'b'},    {"documents", required_argument, 0, 'd'},
        {0, 0, 0, 0},
    };
    options_t options = {"mongodb://127.0.0.1:27017/", "read", 32, 10, 20000, 1200, NULL};
    int name;
    while ((name = getopt_long(count, arguments, "", names, NULL)) != -1) {
        switch (name) {
        case 'u': options.uri = optarg; break;
        case 'w': options.workload = optarg; break;
        case 'c': options.clients = positive(optarg, 10000); break;
        case 's': options.seconds = positive(optarg, 86400); break;
        case 'd': options.documents = positive(optarg, 100000000); break;
        case 'b': options.size = positive(optarg, SIZE_MAX_BYTES); break;
        default: usage();
        }
    }
    return options;
}

int main(int count, char **arguments)
{
    options_t options = parse(count, arguments);
    const workload_t *workload = NULL;
    for (int i = 0; i < WORKLOADS; i++) {
        if (strcmp(workloads[i].name, options.workload) == 0) {
            workload = &workloads[i];
        }
    }
    if (!workload) {
        usage();
    }
    /* The other fields and the framing take about 120 bytes of the size asked for. */
    options.size = options.size > 121 ? options.size - 120 : 1;
    options.padding = malloc(options.size);
    if (!options.padding) {
        fail("out of memory", NULL);
    }
    for (int i = 0; i < options.size; i++) {
        options.padding[i] = 'a' + i * 7 % 26;
    }
    mongoc_init();
    run(&options, workload);
    mongoc_cleanup();
    free(options.padding);
    return 0;
}
