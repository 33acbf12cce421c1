/* Which document a call is for: uniform, or by Zipf's law, where the key of rank r is drawn with a probability
 * proportional to 1 / r^skew. */

#include "load.h"

#include <math.h>
#include <stdlib.h>

/* A prime, so that it has no factor in common with any smaller number of keys. */
static const uint64_t SCATTER = 2654435761;

static int key_count;
static double *cumulative; /* by rank, the last is 1; NULL: all keys alike */

/* A table costs eight bytes a key and is exact for every skew, unlike the usual approximations. */
void set_up_keys(int keys, double skew)
{
    key_count = keys;
    if (skew == 0) {
        return;
    }
    cumulative = malloc(keys * sizeof *cumulative);
    if (!cumulative) {
        fail("out of memory", NULL);
    }
    double sum = 0;
    for (int rank = 0; rank < keys; rank++) {
        sum += pow(rank + 1, -skew);
        cumulative[rank] = sum;
    }
    for (int rank = 0; rank < keys; rank++) {
        cumulative[rank] /= sum;
    }
}

void tear_down_keys(void)
{
    free(cumulative);
    cumulative = NULL;
}

/* xorshift64: no lock, no system call. */
static uint64_t random_bits(client_t *client)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return client->random;
}

uint32_t random_below(client_t *client, uint32_t bound)
{
    return (uint32_t) ((random_bits(client) >> 32) * bound >> 32);
}

/* The first rank whose cumulative probability is above the point. */
static int rank_at(double point)
{
    int low = 0, high = key_count - 1;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (cumulative[middle] > point) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Neighbours in rank are not neighbours in the table: otherwise the hottest documents would share a page. */
int32_t random_key(client_t *client)
{
    if (!cumulative) {
        return (int32_t) random_below(client, key_count);
    }
    uint64_t rank = rank_at((random_bits(client) >> 11) * 0x1p-53);
    return (int32_t) (rank * SCATTER % key_count);
}
