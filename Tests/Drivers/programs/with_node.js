// The common scenario (see ../README.md) through the Node.js driver.
'use strict';

const assert = require('assert');
const { MongoClient } = require('mongodb');

const NAME = 'drivers_node';

const range = (count, of = (i) => i) => Array.from({ length: count }, (_, i) => of(i));

async function expectCode(name, code, operation) {
  await assert.rejects(operation, (error) => {
    assert.strictEqual(error.code, code, `${name}: ${error.message}`);
    return true;
  });
}

async function insert(database) {
  await database.collection('one').insertOne({ _id: 1, name: 'one' });
  const documents = range(1000, (i) => ({ _id: i, n: (i * 7) % 1000, group: i % 10, text: 'x'.repeat(100) }));
  const result = await database.collection('many').insertMany(documents);
  assert.strictEqual(result.insertedCount, 1000, 'insertMany');
}

async function read(database, many) {
  const all = await many.find().sort({ n: -1 }).batchSize(100).toArray();
  assert.deepStrictEqual(all.map((row) => row.n), range(1000, (i) => 999 - i), 'find in order');
  const some = await many.find({ group: 3 }).project({ n: 1 }).sort({ n: 1 }).skip(5).limit(10).toArray();
  assert.deepStrictEqual(some.map((row) => row.n), range(10, (i) => 51 + 10 * i), 'skip and limit');
  assert.deepStrictEqual(Object.keys(some[0]), ['_id', 'n'], 'projection');
  const counted = await database.command({ count: 'many', query: { group: 3 } });
  assert.strictEqual(counted.n, 100, 'count');
  const groups = await many.distinct('group');
  assert.deepStrictEqual(groups.sort(), range(10), 'distinct');
}

async function update(many) {
  let result = await many.updateOne({ _id: 5 }, { $set: { flag: true }, $inc: { n: 1000 } });
  assert.deepStrictEqual([result.matchedCount, result.modifiedCount], [1, 1], 'updateOne');
  let row = await many.findOne({ _id: 5 });
  assert.deepStrictEqual([row.n, row.flag], [1035, true], 'updated document');
  result = await many.updateMany({ group: 4 }, { $set: { seen: 1 } });
  assert.strictEqual(result.modifiedCount, 100, 'updateMany');
  await many.replaceOne({ _id: 6 }, { replaced: 'yes' });
  row = await many.findOne({ _id: 6 });
  assert.deepStrictEqual(row, { _id: 6, replaced: 'yes' }, 'replaced document');
  result = await many.updateOne({ _id: 5000 }, { $set: { a: 1 } }, { upsert: true });
  assert.strictEqual(result.upsertedId._id, 5000, 'upsert');
  result = await many.findOneAndUpdate({ _id: 7 }, { $inc: { n: 1 } }, { returnOriginal: false });
  assert.strictEqual(result.value.n, 50, 'findOneAndUpdate');
}

async function remove(database, many) {
  assert.strictEqual((await many.deleteOne({ _id: 8 })).deletedCount, 1, 'deleteOne');
  assert.strictEqual((await many.deleteMany({ group: 9 })).deletedCount, 100, 'deleteMany');
  assert.strictEqual((await database.command({ count: 'many' })).n, 900, 'left over');
}

async function refuse(database) {
  await expectCode('duplicate _id', 11000, () => database.collection('one').insertOne({ _id: 1 }));
  await expectCode('unknown command', 59, () => database.command({ noSuchCommand: 1 }));
  const filter = { n: { $noSuchOperator: 1 } };
  await expectCode('unknown operator', 2, () => database.collection('many').find(filter).toArray());
}

async function writeUnacknowledged(database) {
  const silent = database.collection('silent');
  await silent.insertOne({ _id: 1 }, { w: 0 });
  for (let i = 0; (await silent.findOne({ _id: 1 })) === null; i++) {
    assert.ok(i < 200, 'w:0: the document did not arrive');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function listed(client) {
  const { databases } = await client.db('admin').admin().listDatabases();
  return databases.some((database) => database.name === NAME);
}

async function collections(database) {
  const names = await database.listCollections({}, { nameOnly: true }).toArray();
  return names.map((collection) => collection.name).sort();
}

async function scenario(client) {
  const database = client.db(NAME);
  const many = database.collection('many');
  await database.dropDatabase();
  await insert(database);
  await read(database, many);
  await update(many);
  await remove(database, many);
  await refuse(database);
  assert.strictEqual(await listed(client), true, 'listDatabases');
  assert.deepStrictEqual(await collections(database), ['many', 'one'], 'listCollections');
  await writeUnacknowledged(database);
  await database.collection('one').drop();
  assert.deepStrictEqual(await collections(database), ['many', 'silent'], 'drop');
  await database.dropDatabase();
  assert.strictEqual(await listed(client), false, 'dropDatabase');
}

async function main() {
  // Version 3 of the driver retries writes only when it is told to; the unified topology is the default since 4.
  const options = { useUnifiedTopology: true, retryWrites: true, serverSelectionTimeoutMS: 5000 };
  const client = await MongoClient.connect(process.argv[2], options);
  await scenario(client);
  await client.close();
  console.log('ok - node');
}

main().catch((error) => {
  console.error(`node: ${error.stack}`);
  process.exit(1);
});
