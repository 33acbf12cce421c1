/* A work queue: clients take the oldest task with findAndModify, a helper puts new ones in. Every client wants the same
 * document, and when one has it the others must go on with the next. */

#include "load.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* The helper holds the queue between these depths. */
enum { DEPTH_MIN = 2 * BATCH, TASKS_MAX = 1 << 24 };

static atomic_int pushed, popped, twice;
static atomic_uchar *times_popped; /* by `_id` */

static bool push(client_t *client, bson_error_t *error)
{
    int first = atomic_load(&pushed);
    if (first + BATCH > TASKS_MAX) {
        bson_set_error(error, 0, 0, "too many tasks for one run");
        return false;
    }
    if (!insert_batch(client->queue, first, BATCH, error)) {
        return false;
    }
    atomic_store(&pushed, first + BATCH);
    return true;
}

void prepare_queue(client_t *client)
{
    bson_error_t error;
    times_popped = calloc(TASKS_MAX, sizeof *times_popped);
    if (!times_popped) {
        fail("out of memory", NULL);
    }
    mongoc_collection_drop(client->queue, NULL);
    while (atomic_load(&pushed) < 2 * DEPTH_MIN) {
        if (!push(client, &error)) {
            fail("cannot fill the queue", &error);
        }
    }
}

int refill(client_t *client)
{
    bson_error_t error;
    if (atomic_load(&pushed) - atomic_load(&popped) >= DEPTH_MIN) {
        sleep_seconds(0.001);
        return 0;
    }
    return push(client, &error) ? BATCH : failed("refill", &error);
}

/* Returns 0 for an empty queue: the helper was too slow. */
static int take(const bson_t *reply)
{
    bson_iter_t iterator, task;
    if (!bson_iter_init(&iterator, reply) || !bson_iter_find_descendant(&iterator, "value._id", &task)) {
        return 0;
    }
    int64_t identifier = bson_iter_as_int64(&task);
    atomic_fetch_add(&popped, 1);
    if (identifier < 0 || identifier >= TASKS_MAX || atomic_fetch_add(&times_popped[identifier], 1) > 0) {
        atomic_fetch_add(&twice, 1);
    }
    return 1;
}

int pop(client_t *client)
{
    bson_t filter = BSON_INITIALIZER, reply, sort = BSON_INITIALIZER;
    bson_error_t error;
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    BSON_APPEND_INT32(&sort, "_id", 1);
    mongoc_find_and_modify_opts_set_sort(options, &sort);
    mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_REMOVE);
    bool done = mongoc_collection_find_and_modify_with_opts(client->queue, &filter, options, &reply, &error);
    int taken = done ? take(&reply) : failed("pop", &error);
    mongoc_find_and_modify_opts_destroy(options);
    bson_destroy(&sort);
    bson_destroy(&filter);
    bson_destroy(&reply);
    return taken;
}

/* Each task was taken by one client, or is still there, or was lost together with the answer to a failed call. */
bool verify_queue(client_t *client, const totals_t *totals)
{
    bson_t filter = BSON_INITIALIZER;
    bson_error_t error;
    int64_t left = mongoc_collection_count_documents(client->queue, &filter, NULL, NULL, NULL, &error);
    bson_destroy(&filter);
    if (left < 0) {
        fail("cannot count the tasks left", &error);
    }
    free(times_popped);
    int64_t missing = atomic_load(&pushed) - atomic_load(&popped) - left;
    printf(" popped=%d left=%" PRId64 " missing=%" PRId64 " twice=%d", atomic_load(&popped), left, missing,
           atomic_load(&twice));
    return atomic_load(&twice) == 0 && missing >= 0 && missing <= (int64_t) totals->errors;
}
