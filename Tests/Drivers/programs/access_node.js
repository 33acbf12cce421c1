// Logins and rights through the Node.js driver, which speaks SASL in its own words. `../access.py` calls it with the
// address of a server that asks for logins, and the password of root.
'use strict';

const assert = require('assert');
const { MongoClient } = require('mongodb');

const [address, rootPassword] = process.argv.slice(2);

function client(user, password, options = {}) {
  const credentials = user ? { auth: { user, username: user, password }, authSource: 'admin' } : {};
  return new MongoClient(address, {
    useUnifiedTopology: true, directConnection: true, serverSelectionTimeoutMS: 20000, ...credentials, ...options,
  });
}

async function withClient(body, ...credentials) {
  const connected = client(...credentials);
  try {
    await connected.connect();
    return await body(connected);
  } finally {
    await connected.close();
  }
}

async function rejects(code, operation, what) {
  await assert.rejects(operation, (error) => {
    assert.strictEqual(error.code, code, `${what}: ${error.message}`);
    return true;
  });
}

async function main() {
  await withClient(async (root) => {
    const { authInfo } = await root.db('admin').command({ connectionStatus: 1, showPrivileges: true });
    assert.deepStrictEqual(authInfo.authenticatedUsers, [{ user: 'root', db: 'admin' }]);
    assert.ok(authInfo.authenticatedUserPrivileges.length > 3, 'privileges');
    await root.db('admin').command({
      createUser: 'node', pwd: 'pä=,ss', roles: [{ role: 'readWrite', db: 'node' }], customData: { a: 1 },
    });
  }, 'root', rootPassword);
  for (const authMechanism of ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'DEFAULT']) {
    await withClient(async (node) => {
      const collection = node.db('node').collection('c');
      await collection.insertOne({ mechanism: authMechanism });
      assert.ok(await collection.findOne({ mechanism: authMechanism }), authMechanism);
      await rejects(13, () => node.db('other').collection('c').findOne(), 'another database');
      await rejects(13, () => node.db('admin').command({ usersInfo: 1 }), 'users');
    }, 'node', 'pä=,ss', { authMechanism });
    await rejects(
      18, () => withClient((wrong) => wrong.db('node').collection('c').findOne(), 'node', 'wrong', { authMechanism }),
      authMechanism);
  }
  await withClient((stranger) => rejects(13, () => stranger.db('node').collection('c').findOne(), 'no login'));
  await withClient(async (root) => {
    await root.db('admin').command({ dropUser: 'node' });
    await root.db('node').dropDatabase();
  }, 'root', rootPassword);
  console.log('ok - access_node');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
