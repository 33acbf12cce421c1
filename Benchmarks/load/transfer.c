/* Transactions: read an account, take an amount from it, give the amount to another. A transaction that meets another
 * one fails with TransientTransactionError and is begun again at once, as `withTransaction` of most drivers does. That
 * loop is written out here because the drivers' own does not tell how often it went round. */

#include "load.h"

#include <inttypes.h>
#include <stdio.h>

enum { WRITE_CONFLICT = 112 };

static int64_t sum_before, moves_before;

static bool find_account(client_t *client, const bson_t *in_session, int32_t account, bson_t *reply,
                         bson_error_t *error)
{
    bson_t filter = BSON_INITIALIZER;
    const bson_t *row, *details;
    BSON_APPEND_INT32(&filter, "_id", account);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(client->documents, &filter, in_session, NULL);
    mongoc_cursor_next(cursor, &row);
    bool done = !mongoc_cursor_error_document(cursor, error, &details);
    bson_init(reply);
    if (!done && details) {
        bson_concat(reply, details);
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    return done;
}

static bool change_account(client_t *client, const bson_t *in_session, int32_t account, int amount, bson_t *reply,
                           bson_error_t *error)
{
    bson_t filter = BSON_INITIALIZER, change = BSON_INITIALIZER, increment;
    BSON_APPEND_INT32(&filter, "_id", account);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$inc", &increment);
    BSON_APPEND_INT32(&increment, "n", amount);
    BSON_APPEND_INT32(&increment, "moves", 1);
    bson_append_document_end(&change, &increment);
    bool done = mongoc_collection_update_one(client->documents, &filter, &change, in_session, reply, error);
    bson_destroy(&filter);
    bson_destroy(&change);
    return done;
}

static bool commit(client_t *client, bson_t *reply, bson_error_t *error)
{
    bool done = mongoc_client_session_commit_transaction(client->session, reply, error);
    while (!done && mongoc_error_has_label(reply, "UnknownTransactionCommitResult") && !is_stopping()) {
        bson_destroy(reply);
        done = mongoc_client_session_commit_transaction(client->session, reply, error);
    }
    return done;
}

/* Every step leaves its reply behind, with the labels of an error. */
static bool attempt(client_t *client, int32_t from, int32_t to, bson_t *reply, bson_error_t *error)
{
    bson_t in_session = BSON_INITIALIZER;
    int amount = 1 + (int) random_below(client, 100);
    bson_init(reply);
    bool done = mongoc_client_session_start_transaction(client->session, NULL, error)
                && mongoc_client_session_append(client->session, &in_session, error);
    if (done) {
        bson_destroy(reply);
        done = find_account(client, &in_session, from, reply, error);
    }
    if (done) {
        bson_destroy(reply);
        done = change_account(client, &in_session, from, -amount, reply, error);
    }
    if (done) {
        bson_destroy(reply);
        done = change_account(client, &in_session, to, amount, reply, error);
    }
    if (done) {
        bson_destroy(reply);
        done = commit(client, reply, error);
    }
    if (!done && mongoc_client_session_in_transaction(client->session)) {
        mongoc_client_session_abort_transaction(client->session, NULL);
    }
    bson_destroy(&in_session);
    return done;
}

static void open_session(client_t *client)
{
    bson_error_t error;
    client->session = mongoc_client_start_session(client->connection, NULL, &error);
    if (!client->session) {
        fail("cannot start a session", &error);
    }
}

int transfer(client_t *client)
{
    int32_t from = random_key(client), to;
    if (!client->session) {
        open_session(client);
    }
    do {
        to = random_key(client);
    } while (to == from);
    while (!is_stopping()) {
        bson_t reply;
        bson_error_t error = {0};
        client->attempts++;
        bool done = attempt(client, from, to, &reply, &error);
        bool transient = !done && mongoc_error_has_label(&reply, "TransientTransactionError");
        bson_destroy(&reply);
        if (done) {
            client->commits++;
            return 1;
        }
        if (!transient) {
            return failed("transfer", &error);
        }
        client->conflicts += error.code == WRITE_CONFLICT;
    }
    return 0;
}

void prepare_transfers(client_t *client)
{
    if (client->options->keys < 2) {
        fail("a transfer needs two keys", NULL);
    }
    prepare_documents(client);
    sum_before = sum_of(client, "n");
    moves_before = sum_of(client, "moves");
}

/* Nothing is made or lost, and each commit changed two accounts. */
bool verify_transfers(client_t *client, const totals_t *totals)
{
    int64_t made = sum_of(client, "n") - sum_before, moves = sum_of(client, "moves") - moves_before;
    printf(" attempts=%" PRIu64 " wasted=%" PRIu64 " conflicts=%" PRIu64 " acknowledged=%" PRIu64
           " counted=%" PRId64 " made=%" PRId64,
           totals->attempts, totals->attempts - totals->commits, totals->conflicts, totals->commits, moves / 2, made);
    return made == 0 && moves % 2 == 0 && moves / 2 >= (int64_t) totals->commits
           && moves / 2 <= (int64_t) (totals->commits + totals->errors);
}
