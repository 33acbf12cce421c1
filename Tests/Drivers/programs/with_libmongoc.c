/* The common scenario (see ../README.md) through libmongoc. */

#include <mongoc/mongoc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DATABASE "drivers_libmongoc"

static mongoc_client_t *client;

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "libmongoc: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

static void check(const char *name, int64_t actual, int64_t expected)
{
    if (actual != expected) {
        fail("%s: expected %lld, got %lld", name, (long long) expected, (long long) actual);
    }
}

/* The document in extended JSON; the caller destroys it. */
static bson_t *json(const char *text)
{
    bson_error_t error;
    bson_t *document = bson_new_from_json((const uint8_t *) text, -1, &error);
    if (!document) {
        fail("bad JSON %s: %s", text, error.message);
    }
    return document;
}

static int64_t number(const bson_t *document, const char *path)
{
    bson_iter_t iterator, value;
    if (!bson_iter_init(&iterator, document) || !bson_iter_find_descendant(&iterator, path, &value)) {
        char *text = bson_as_relaxed_extended_json(document, NULL);
        fail("no field %s in %s", path, text);
    }
    return bson_iter_as_int64(&value);
}

/* Runs a command that must succeed; `reply` is the caller's to destroy. */
static void run(const char *database, const char *command, bson_t *reply)
{
    bson_error_t error;
    bson_t *document = json(command);
    if (!mongoc_client_command_simple(client, database, document, NULL, reply, &error)) {
        fail("%s: %s", command, error.message);
    }
    bson_destroy(document);
}

static int64_t run_for_number(const char *command, const char *path)
{
    bson_t reply;
    run(DATABASE, command, &reply);
    int64_t result = number(&reply, path);
    bson_destroy(&reply);
    return result;
}

static void insert_many(mongoc_collection_t *many)
{
    bson_t *documents[1000];
    bson_error_t error;
    bson_t reply;
    for (int i = 0; i < 1000; i++) {
        documents[i] = BCON_NEW("_id", BCON_INT32(i), "n", BCON_INT32(i * 7 % 1000), "group", BCON_INT32(i % 10),
                                "text", BCON_UTF8("a hundred bytes would do as well as these"));
    }
    if (!mongoc_collection_insert_many(many, (const bson_t **) documents, 1000, NULL, &reply, &error)) {
        fail("insertMany: %s", error.message);
    }
    check("insertMany", number(&reply, "insertedCount"), 1000);
    bson_destroy(&reply);
    for (int i = 0; i < 1000; i++) {
        bson_destroy(documents[i]);
    }
}

/* Checks that the rows hold n = first, first + step, ... and nothing but `fields` fields each. */
static void expect_rows(mongoc_collection_t *collection, const char *filter, const char *options, int64_t first,
                        int64_t step, int64_t count, uint32_t fields)
{
    bson_t *query = json(filter), *opts = json(options);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, query, opts, NULL);
    const bson_t *row;
    bson_error_t error;
    int64_t seen = 0;
    for (; mongoc_cursor_next(cursor, &row); seen++) {
        check("order of rows", number(row, "n"), first + step * seen);
        check("fields of a row", bson_count_keys(row), fields);
    }
    if (mongoc_cursor_error(cursor, &error)) {
        fail("find %s: %s", filter, error.message);
    }
    check("number of rows", seen, count);
    mongoc_cursor_destroy(cursor);
    bson_destroy(query);
    bson_destroy(opts);
}

static void read_back(mongoc_collection_t *many)
{
    expect_rows(many, "{}", "{\"sort\": {\"n\": -1}, \"batchSize\": 100}", 999, -1, 1000, 4);
    expect_rows(many, "{\"group\": 3}",
                "{\"projection\": {\"n\": 1}, \"sort\": {\"n\": 1}, \"skip\": 5, \"limit\": 10}", 51, 10, 10, 2);
    check("count", run_for_number("{\"count\": \"many\", \"query\": {\"group\": 3}}", "n"), 100);

    bson_t reply, values;
    bson_iter_t iterator;
    uint32_t length;
    const uint8_t *bytes;
    run(DATABASE, "{\"distinct\": \"many\", \"key\": \"group\"}", &reply);
    if (!bson_iter_init_find(&iterator, &reply, "values") || !BSON_ITER_HOLDS_ARRAY(&iterator)) {
        fail("distinct: no values");
    }
    bson_iter_array(&iterator, &length, &bytes);
    bson_init_static(&values, bytes, length);
    check("distinct", bson_count_keys(&values), 10);
    bson_destroy(&reply);
}

typedef bool (*update_function)(mongoc_collection_t *, const bson_t *, const bson_t *, const bson_t *, bson_t *,
                                bson_error_t *);

static void expect_update(mongoc_collection_t *many, update_function function, const char *filter, const char *change,
                          const char *options, const char *field, int64_t expected)
{
    bson_t *query = json(filter), *update = json(change), *opts = json(options), reply;
    bson_error_t error;
    if (!function(many, query, update, opts, &reply, &error)) {
        fail("update %s: %s", change, error.message);
    }
    check(change, number(&reply, field), expected);
    bson_destroy(&reply);
    bson_destroy(query);
    bson_destroy(update);
    bson_destroy(opts);
}

static void find_and_modify(mongoc_collection_t *many)
{
    bson_t *query = json("{\"_id\": 7}"), *update = json("{\"$inc\": {\"n\": 1}}"), reply;
    bson_error_t error;
    if (!mongoc_collection_find_and_modify(many, query, NULL, update, NULL, false, false, true, &reply, &error)) {
        fail("findAndModify: %s", error.message);
    }
    check("findAndModify", number(&reply, "value.n"), 50);
    bson_destroy(&reply);
    bson_destroy(query);
    bson_destroy(update);
}

static void update(mongoc_collection_t *many)
{
    expect_update(many, mongoc_collection_update_one, "{\"_id\": 5}",
                  "{\"$set\": {\"n\": 1}, \"$inc\": {\"m\": 2}}", "{}", "modifiedCount", 1);
    expect_rows(many, "{\"_id\": 5, \"m\": 2}", "{}", 1, 0, 1, 5);
    expect_update(many, mongoc_collection_update_many, "{\"group\": 4}", "{\"$set\": {\"seen\": 1}}", "{}",
                  "modifiedCount", 100);
    expect_update(many, mongoc_collection_replace_one, "{\"_id\": 6}", "{\"n\": -6}", "{}", "modifiedCount", 1);
    expect_rows(many, "{\"_id\": 6}", "{}", -6, 0, 1, 2);
    expect_update(many, mongoc_collection_update_one, "{\"_id\": 5000}", "{\"$set\": {\"n\": 1}}", "{\"upsert\": true}",
                  "upsertedId", 5000);
    find_and_modify(many);
}

static void delete(mongoc_collection_t *many)
{
    bson_t *one = json("{\"_id\": 8}"), *group = json("{\"group\": 9}"), reply;
    bson_error_t error;
    if (!mongoc_collection_delete_one(many, one, NULL, &reply, &error)) {
        fail("deleteOne: %s", error.message);
    }
    check("deleteOne", number(&reply, "deletedCount"), 1);
    bson_destroy(&reply);
    if (!mongoc_collection_delete_many(many, group, NULL, &reply, &error)) {
        fail("deleteMany: %s", error.message);
    }
    check("deleteMany", number(&reply, "deletedCount"), 100);
    bson_destroy(&reply);
    bson_destroy(one);
    bson_destroy(group);
    check("left over", run_for_number("{\"count\": \"many\"}", "n"), 900);
}

static void refuse(mongoc_collection_t *one)
{
    bson_error_t error = {0};
    bson_t *document = json("{\"_id\": 1}");
    if (mongoc_collection_insert_one(one, document, NULL, NULL, &error)) {
        fail("duplicate _id: no error");
    }
    check("duplicate _id", error.code, 11000);
    bson_destroy(document);

    document = json("{\"noSuchCommand\": 1}");
    if (mongoc_client_command_simple(client, DATABASE, document, NULL, NULL, &error)) {
        fail("unknown command: no error");
    }
    check("unknown command", error.code, 59);
    bson_destroy(document);

    const bson_t *row;
    document = json("{\"n\": {\"$noSuchOperator\": 1}}");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(one, document, NULL, NULL);
    if (mongoc_cursor_next(cursor, &row) || !mongoc_cursor_error(cursor, &error)) {
        fail("unknown operator: no error");
    }
    check("unknown operator", error.code, 2);
    mongoc_cursor_destroy(cursor);
    bson_destroy(document);
}

static bool is_listed(char **names, const char *name)
{
    for (int i = 0; names && names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool database_exists(void)
{
    bson_error_t error;
    char **names = mongoc_client_get_database_names_with_opts(client, NULL, &error);
    if (!names) {
        fail("listDatabases: %s", error.message);
    }
    bool found = is_listed(names, DATABASE);
    bson_strfreev(names);
    return found;
}

static bool collection_exists(mongoc_database_t *database, const char *name)
{
    bson_error_t error;
    char **names = mongoc_database_get_collection_names_with_opts(database, NULL, &error);
    if (!names) {
        fail("listCollections: %s", error.message);
    }
    bool found = is_listed(names, name);
    bson_strfreev(names);
    return found;
}

static void write_unacknowledged(mongoc_database_t *database)
{
    mongoc_collection_t *silent = mongoc_database_get_collection(database, "silent");
    bson_t *document = json("{\"_id\": 1}"), *options = json("{\"writeConcern\": {\"w\": 0}}");
    bson_error_t error;
    if (!mongoc_collection_insert_one(silent, document, options, NULL, &error)) {
        fail("w:0: %s", error.message);
    }
    for (int i = 0; run_for_number("{\"count\": \"silent\"}", "n") == 0; i++) {
        if (i == 200) {
            fail("w:0: the document did not arrive");
        }
        usleep(50000);
    }
    bson_destroy(document);
    bson_destroy(options);
    mongoc_collection_destroy(silent);
}

static void drop_database(mongoc_database_t *database)
{
    bson_error_t error;
    if (!mongoc_database_drop(database, &error)) {
        fail("dropDatabase: %s", error.message);
    }
}

static void scenario(mongoc_database_t *database, mongoc_collection_t *one, mongoc_collection_t *many)
{
    bson_error_t error;
    bson_t *first = json("{\"_id\": 1, \"name\": \"one\"}");
    drop_database(database);
    if (!mongoc_collection_insert_one(one, first, NULL, NULL, &error)) {
        fail("insertOne: %s", error.message);
    }
    insert_many(many);
    read_back(many);
    update(many);
    delete(many);
    refuse(one);
    check("listDatabases", database_exists(), true);
    check("listCollections", collection_exists(database, "one") && collection_exists(database, "many"), true);
    write_unacknowledged(database);
    if (!mongoc_collection_drop(one, &error)) {
        fail("drop: %s", error.message);
    }
    check("drop", collection_exists(database, "one"), false);
    drop_database(database);
    check("dropDatabase", database_exists(), false);
    bson_destroy(first);
}

int main(int count, char **arguments)
{
    mongoc_init();
    client = count == 2 ? mongoc_client_new(arguments[1]) : NULL;
    if (!client) {
        fail("usage: with_libmongoc URI");
    }
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    mongoc_database_t *database = mongoc_client_get_database(client, DATABASE);
    mongoc_collection_t *one = mongoc_client_get_collection(client, DATABASE, "one");
    mongoc_collection_t *many = mongoc_client_get_collection(client, DATABASE, "many");
    scenario(database, one, many);
    mongoc_collection_destroy(one);
    mongoc_collection_destroy(many);
    mongoc_database_destroy(database);
    mongoc_client_destroy(client);
    mongoc_cleanup();
    printf("ok - libmongoc\n");
    return 0;
}
