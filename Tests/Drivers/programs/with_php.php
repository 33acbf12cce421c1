<?php
// The common scenario (see ../README.md) through PHP's driver extension: commands, queries and bulk writes.

use MongoDB\Driver\{BulkWrite, Command, Manager, Query, WriteConcern};
use MongoDB\Driver\Exception\{BulkWriteException, CommandException};

const NAME = 'drivers_php';

function check(string $what, $actual, $expected): void
{
    if ($actual !== $expected) {
        throw new Exception("$what: expected " . json_encode($expected) . ', got ' . json_encode($actual));
    }
}

function checkCode(string $what, int $code, callable $operation): void
{
    try {
        $operation();
    } catch (BulkWriteException $error) {
        check($what, $error->getWriteResult()->getWriteErrors()[0]->getCode(), $code);
        return;
    } catch (CommandException $error) {
        check($what, $error->getCode(), $code);
        return;
    }
    throw new Exception("$what: no error, expected code $code");
}

function run(Manager $manager, array $command, string $database = NAME): array
{
    return $manager->executeCommand($database, new Command($command))->toArray();
}

function find(Manager $manager, array $filter, array $options = [], string $collection = 'many'): array
{
    $cursor = $manager->executeQuery(NAME . ".$collection", new Query($filter, $options));
    $cursor->setTypeMap(['root' => 'array', 'document' => 'array']);
    return $cursor->toArray();
}

/** Fills a bulk write with `$fill` and executes it. */
function write(Manager $manager, string $collection, callable $fill, array $options = [])
{
    $bulk = new BulkWrite();
    $fill($bulk);
    return $manager->executeBulkWrite(NAME . ".$collection", $bulk, $options);
}

function insert(Manager $manager): void
{
    write($manager, 'one', fn ($bulk) => $bulk->insert(['_id' => 1, 'name' => 'one']));
    $result = write($manager, 'many', function ($bulk) {
        for ($i = 0; $i < 1000; $i++) {
            $bulk->insert(['_id' => $i, 'n' => $i * 7 % 1000, 'group' => $i % 10, 'text' => str_repeat('x', 100)]);
        }
    });
    check('insertMany', $result->getInsertedCount(), 1000);
}

function read(Manager $manager): void
{
    $all = find($manager, [], ['sort' => ['n' => -1], 'batchSize' => 100]);
    check('find in order', array_column($all, 'n'), range(999, 0));
    $options = ['projection' => ['n' => 1], 'sort' => ['n' => 1], 'skip' => 5, 'limit' => 10];
    $some = find($manager, ['group' => 3], $options);
    check('skip and limit', array_column($some, 'n'), range(51, 141, 10));
    check('projection', array_keys($some[0]), ['_id', 'n']);
    check('count', run($manager, ['count' => 'many', 'query' => ['group' => 3]])[0]->n, 100);
    $groups = run($manager, ['distinct' => 'many', 'key' => 'group'])[0]->values;
    sort($groups);
    check('distinct', $groups, range(0, 9));
}

function update(Manager $manager): void
{
    $change = ['$set' => ['flag' => true], '$inc' => ['n' => 1000]];
    $result = write($manager, 'many', fn ($bulk) => $bulk->update(['_id' => 5], $change));
    check('updateOne', [$result->getMatchedCount(), $result->getModifiedCount()], [1, 1]);
    $row = find($manager, ['_id' => 5])[0];
    check('updated document', [$row['n'], $row['flag']], [1035, true]);
    $seen = ['$set' => ['seen' => 1]];
    $result = write($manager, 'many', fn ($bulk) => $bulk->update(['group' => 4], $seen, ['multi' => true]));
    check('updateMany', $result->getModifiedCount(), 100);
    write($manager, 'many', fn ($bulk) => $bulk->update(['_id' => 6], ['replaced' => 'yes']));
    check('replaced document', find($manager, ['_id' => 6])[0], ['_id' => 6, 'replaced' => 'yes']);
    $set = ['$set' => ['a' => 1]];
    $result = write($manager, 'many', fn ($bulk) => $bulk->update(['_id' => 5000], $set, ['upsert' => true]));
    check('upsert', $result->getUpsertedIds(), [5000]);
    $command = ['findAndModify' => 'many', 'query' => ['_id' => 7], 'update' => ['$inc' => ['n' => 1]], 'new' => true];
    $reply = $manager->executeReadWriteCommand(NAME, new Command($command))->toArray()[0];
    check('findOneAndUpdate', $reply->value->n, 50);
}

function delete(Manager $manager): void
{
    $result = write($manager, 'many', fn ($bulk) => $bulk->delete(['_id' => 8], ['limit' => true]));
    check('deleteOne', $result->getDeletedCount(), 1);
    $result = write($manager, 'many', fn ($bulk) => $bulk->delete(['group' => 9]));
    check('deleteMany', $result->getDeletedCount(), 100);
    check('left over', run($manager, ['count' => 'many'])[0]->n, 900);
}

function refuse(Manager $manager): void
{
    checkCode('duplicate _id', 11000, fn () => write($manager, 'one', fn ($bulk) => $bulk->insert(['_id' => 1])));
    checkCode('unknown command', 59, fn () => run($manager, ['noSuchCommand' => 1]));
    checkCode('unknown operator', 2, fn () => find($manager, ['n' => ['$noSuchOperator' => 1]]));
}

function writeUnacknowledged(Manager $manager): void
{
    write($manager, 'silent', fn ($bulk) => $bulk->insert(['_id' => 1]), ['writeConcern' => new WriteConcern(0)]);
    for ($i = 0; count(find($manager, ['_id' => 1], [], 'silent')) === 0; $i++) {
        check('w:0: the document arrived', $i < 200, true);
        usleep(50000);
    }
}

function exists(Manager $manager): bool
{
    $databases = run($manager, ['listDatabases' => 1, 'nameOnly' => true], 'admin')[0]->databases;
    return in_array(NAME, array_column($databases, 'name'), true);
}

function collections(Manager $manager): array
{
    $names = array_column(run($manager, ['listCollections' => 1, 'nameOnly' => true]), 'name');
    sort($names);
    return $names;
}

function scenario(Manager $manager): void
{
    run($manager, ['dropDatabase' => 1]);
    insert($manager);
    read($manager);
    update($manager);
    delete($manager);
    refuse($manager);
    check('listDatabases', exists($manager), true);
    check('listCollections', collections($manager), ['many', 'one']);
    writeUnacknowledged($manager);
    run($manager, ['drop' => 'one']);
    check('drop', collections($manager), ['many', 'silent']);
    run($manager, ['dropDatabase' => 1]);
    check('dropDatabase', exists($manager), false);
}

try {
    scenario(new Manager($argv[1], ['serverSelectionTimeoutMS' => 5000]));
} catch (Throwable $error) {
    fwrite(STDERR, 'php: ' . $error->getMessage() . ' (line ' . $error->getLine() . ")\n");
    exit(1);
}
echo "ok - php\n";
