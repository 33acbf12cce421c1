/* A load generator: closed loops, one thread and one connection per client. It must cost little beside the server it
 * measures, hence C and libmongoc. */

#ifndef LOAD_H
#define LOAD_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Documents in one `insertMany`. */
enum { BATCH = 1000 };

typedef struct {
    const char *uri;
    const char *workload;
    const char *command;
    int clients;
    int documents;
    int keys;
    int size;
    int analysts;
    bool analysts_read_secondary;
    bool retry_writes;
    bool indexed;
    double skew;
    double warm_up;
    double seconds;
} options_t;

struct workload;

typedef struct client {
    const options_t *options;
    mongoc_client_t *connection;
    mongoc_collection_t *documents;
    mongoc_collection_t *inserted;
    mongoc_collection_t *queue;
    mongoc_client_session_t *session; /* for transactions */
    mongoc_read_prefs_t *scan_preference; /* NULL: the connection's */
    uint64_t random;

    /* What was measured after the warm-up. */
    uint32_t *latencies; /* microseconds, one per call */
    size_t calls, capacity;
    uint64_t operations;

    /* What happened from the first to the last call, for the comparison with what the server holds. */
    uint64_t errors, updates, commits;
    uint64_t attempts, conflicts; /* of transactions, measured ones and others */
} client_t;

/* One call of the closed loop. Returns the number of operations done, 0 if there is nothing to count, or FAILED. */
typedef int (*operation_t)(client_t *);
enum { FAILED = -1 };

typedef struct {
    uint64_t errors, updates, commits, attempts, conflicts;
} totals_t;

typedef struct workload {
    const char *name;
    operation_t operation;
    /* Runs alone, before the clock starts. */
    void (*prepare)(client_t *);
    /* Runs alone, after the last call: prints what the server holds, as ` name=value`. False if effects of
     * acknowledged calls are missing, or there are effects that no call can have had. */
    bool (*verify)(client_t *, const totals_t *);
    /* A helper that runs beside the clients and is not measured. */
    operation_t helper;
} workload_t;

/* main.c */
void fail(const char *what, const bson_error_t *error) __attribute__((noreturn));
int failed(const char *what, const bson_error_t *error);

/* harness.c */
bool run_workload(const options_t *options, const workload_t *workload);
bool is_stopping(void);
void sleep_seconds(double seconds);
void open_client(client_t *client, const options_t *options, int number);
void close_client(client_t *client);

/* keys.c */
void set_up_keys(int keys, double skew);
void tear_down_keys(void);
uint32_t random_below(client_t *client, uint32_t bound);
int32_t random_key(client_t *client);

/* documents.c */
void print_index_seconds(void);
void make_padding(int document_size);
void append_fields(bson_t *document, int number);
void prepare_documents(client_t *client);
void prepare_nothing(client_t *client);
void prepare_increments(client_t *client);
bool verify_increments(client_t *client, const totals_t *totals);
int64_t sum_of(client_t *client, const char *field);
bool insert_batch(mongoc_collection_t *collection, int first, int count, bson_error_t *error);
int read_one(client_t *client);
int read_or_update(client_t *client);
int update_one(client_t *client);
int update_hot(client_t *client);
int update_by_key(client_t *client);
int insert_one(client_t *client);
int insert_bulk(client_t *client);
int scan(client_t *client);
int find_by_group(client_t *client);

/* queue.c */
void prepare_queue(client_t *client);
bool verify_queue(client_t *client, const totals_t *totals);
int pop(client_t *client);
int refill(client_t *client);

/* transfer.c */
void prepare_transfers(client_t *client);
bool verify_transfers(client_t *client, const totals_t *totals);
int transfer(client_t *client);

#endif
