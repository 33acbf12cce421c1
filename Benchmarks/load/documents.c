/* Workloads on single documents, and scans. Updates are increments, so that at the end the sum of all counters tells
 * whether each acknowledged one was done exactly once. */

#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static char *padding;
static int padding_size;
static int64_t sum_before;
static double index_seconds;

/* The other fields and the framing take about 120 bytes. */
void make_padding(int document_size)
{
    padding_size = document_size > 121 ? document_size - 120 : 1;
    padding = malloc(padding_size);
    if (!padding) {
        fail("out of memory", NULL);
    }
    for (int i = 0; i < padding_size; i++) {
        padding[i] = 'a' + i * 7 % 26;
    }
}

/* The fields without `_id`. */
void append_fields(bson_t *document, int number)
{
    BSON_APPEND_INT32(document, "n", 0);
    BSON_APPEND_INT32(document, "group", number % 1000);
    BSON_APPEND_UTF8(document, "name", "a document of the load generator");
    BSON_APPEND_DATE_TIME(document, "created", 1700000000000 + number);
    bson_append_utf8(document, "padding", -1, padding, padding_size);
}

int read_one(client_t *client)
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
    if (!done) {
        return failed("update", &error);
    }
    client->updates++;
    return 1;
}

int update_one(client_t *client)
{
    return update(client, (int32_t) random_below(client, client->options->documents));
}

int update_hot(client_t *client)
{
    return update(client, 0);
}

int update_by_key(client_t *client)
{
    return update(client, random_key(client));
}

int read_or_update(client_t *client)
{
    return random_below(client, 2) ? read_one(client) : update_one(client);
}

int insert_one(client_t *client)
{
    bson_t document = BSON_INITIALIZER;
    bson_oid_t identifier;
    bson_error_t error;
    bson_oid_init(&identifier, NULL);
    BSON_APPEND_OID(&document, "_id", &identifier);
    append_fields(&document, (int) client->calls);
    bool done = mongoc_collection_insert_one(client->inserted, &document, NULL, NULL, &error);
    bson_destroy(&document);
    return done ? 1 : failed("insert", &error);
}

/* `first` numbers the `_id`s; below 0 they are ObjectIds. */
bool insert_batch(mongoc_collection_t *collection, int first, int count, bson_error_t *error)
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
        append_fields(documents[i], first + i);
    }
    bool done = mongoc_collection_insert_many(collection, (const bson_t **) documents, count, NULL, NULL, error);
    for (int i = 0; i < count; i++) {
        bson_destroy(documents[i]);
    }
    return done;
}

int insert_bulk(client_t *client)
{
    bson_error_t error;
    return insert_batch(client->inserted, -BATCH, BATCH, &error) ? BATCH : failed("bulk", &error);
}

/* Finds one in a thousand by a field without an index. An operation is a document looked at. */
int scan(client_t *client)
{
    bson_t filter = BSON_INITIALIZER;
    const bson_t *row;
    bson_error_t error;
    BSON_APPEND_INT32(&filter, "group", (int32_t) random_below(client, 1000));
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(client->documents, &filter, NULL, client->scan_preference);
    while (mongoc_cursor_next(cursor, &row)) {
    }
    bool done = !mongoc_cursor_error(cursor, &error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    return done ? client->options->documents : failed("scan", &error);
}

/* Ten documents of a group, by the index on it. */
int find_by_group(client_t *client)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    const bson_t *row;
    bson_error_t error;
    int found = 0;
    BSON_APPEND_INT32(&filter, "group", (int32_t) random_below(client, 1000));
    BSON_APPEND_INT64(&options, "limit", 10);
    BSON_APPEND_BOOL(&options, "singleBatch", true);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(client->documents, &filter, &options, NULL);
    while (mongoc_cursor_next(cursor, &row)) {
        found++;
    }
    if (!mongoc_cursor_error(cursor, &error) && found == 0) {
        bson_set_error(&error, 0, 0, "no such group");
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    bson_destroy(&options);
    return found > 0 ? 1 : failed("find", &error);
}

static void create_indexes(client_t *client, mongoc_collection_t *collection)
{
    static const char *const indexes =
        "[{\"key\": {\"group\": 1}, \"name\": \"group_1\"}, {\"key\": {\"created\": -1}, \"name\": \"created_-1\"},"
        " {\"key\": {\"name\": 1, \"group\": 1}, \"name\": \"name_1_group_1\"}]";
    bson_error_t error;
    if (!client->options->indexed) {
        return;
    }
    char *text = bson_strdup_printf("{\"createIndexes\": \"%s\", \"indexes\": %s}",
                                    mongoc_collection_get_name(collection), indexes);
    bson_t *command = bson_new_from_json((const uint8_t *) text, -1, &error);
    int64_t start = bson_get_monotonic_time();
    if (!command || !mongoc_collection_command_simple(collection, command, NULL, NULL, &error)) {
        fail("cannot create the indexes", &error);
    }
    index_seconds += (bson_get_monotonic_time() - start) / 1e6;
    bson_destroy(command);
    bson_free(text);
}

void print_index_seconds(void)
{
    printf(" index_seconds=%.2f", index_seconds);
}

void prepare_nothing(client_t *client)
{
    mongoc_collection_drop(client->inserted, NULL);
    create_indexes(client, client->inserted);
}

/* Fills the collection unless it holds exactly the documents wanted. */
void prepare_documents(client_t *client)
{
    bson_error_t error;
    int wanted = client->options->documents;
    prepare_nothing(client);
    if (mongoc_collection_estimated_document_count(client->documents, NULL, NULL, NULL, &error) == wanted) {
        create_indexes(client, client->documents);
        return;
    }
    mongoc_collection_drop(client->documents, NULL);
    for (int first = 0; first < wanted; first += BATCH) {
        int count = wanted - first < BATCH ? wanted - first : BATCH;
        if (!insert_batch(client->documents, first, count, &error)) {
            fail("cannot load the documents", &error);
        }
    }
    create_indexes(client, client->documents);
}

void prepare_increments(client_t *client)
{
    prepare_documents(client);
    sum_before = sum_of(client, "n");
}

/* An update that failed may have been done or not: its outcome is unknown. */
bool verify_increments(client_t *client, const totals_t *totals)
{
    int64_t counted = sum_of(client, "n") - sum_before;
    printf(" acknowledged=%" PRIu64 " counted=%" PRId64, totals->updates, counted);
    return counted >= (int64_t) totals->updates && counted <= (int64_t) (totals->updates + totals->errors);
}

int64_t sum_of(client_t *client, const char *field)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, projection;
    const bson_t *row;
    bson_error_t error;
    bson_iter_t iterator;
    int64_t sum = 0;
    BSON_APPEND_DOCUMENT_BEGIN(&options, "projection", &projection);
    BSON_APPEND_INT32(&projection, "_id", 0);
    BSON_APPEND_INT32(&projection, field, 1);
    bson_append_document_end(&options, &projection);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(client->documents, &filter, &options, NULL);
    while (mongoc_cursor_next(cursor, &row)) {
        sum += bson_iter_init_find(&iterator, row, field) ? bson_iter_as_int64(&iterator) : 0;
    }
    if (mongoc_cursor_error(cursor, &error)) {
        fail("cannot add up the counters", &error);
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    bson_destroy(&options);
    return sum;
}
