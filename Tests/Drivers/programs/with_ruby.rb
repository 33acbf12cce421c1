# The common scenario (see ../README.md) through the Ruby driver.

require 'mongo'

NAME = 'drivers_ruby'.freeze

def check(what, actual, expected)
  abort "ruby: #{what}: expected #{expected.inspect}, got #{actual.inspect}" unless actual == expected
end

# The error of this version of the driver has no code of its own: it ends the message, in parentheses.
def check_code(what, code)
  yield
rescue Mongo::Error::BulkWriteError => error
  check(what, error.result['writeErrors'][0]['code'], code)
rescue Mongo::Error::OperationFailure => error
  check(what, error.message[/\((\d+)\)[^(]*\z/, 1].to_i, code)
else
  abort "ruby: #{what}: no error, expected code #{code}"
end

def insert(client)
  client[:one].insert_one(_id: 1, name: 'one')
  documents = (0...1000).map { |i| { _id: i, n: i * 7 % 1000, group: i % 10, text: 'x' * 100 } }
  check('insertMany', client[:many].insert_many(documents).inserted_count, 1000)
end

def read(many)
  check('find in order', many.find.sort(n: -1).batch_size(100).map { |row| row['n'] }, 999.downto(0).to_a)
  rows = many.find({ group: 3 }, projection: { n: 1 }).sort(n: 1).skip(5).limit(10).to_a
  check('skip and limit', rows.map { |row| row['n'] }, 51.step(141, 10).to_a)
  check('projection', rows.first.keys, %w[_id n])
  check('count', many.find(group: 3).count, 100)
  check('distinct', many.distinct(:group).sort, (0..9).to_a)
end

def update(many)
  result = many.update_one({ _id: 5 }, '$set' => { flag: true }, '$inc' => { n: 1000 })
  check('updateOne', [result.matched_count, result.modified_count], [1, 1])
  row = many.find(_id: 5).first
  check('updated document', [row['n'], row['flag']], [1035, true])
  check('updateMany', many.update_many({ group: 4 }, '$set' => { seen: 1 }).modified_count, 100)
  many.replace_one({ _id: 6 }, replaced: 'yes')
  check('replaced document', many.find(_id: 6).first, '_id' => 6, 'replaced' => 'yes')
  result = many.update_one({ _id: 5000 }, { '$set' => { a: 1 } }, upsert: true)
  check('upsert', result.upserted_id, 5000)
  row = many.find_one_and_update({ _id: 7 }, { '$inc' => { n: 1 } }, return_document: :after)
  check('findOneAndUpdate', row['n'], 50)
end

def delete(many)
  check('deleteOne', many.delete_one(_id: 8).deleted_count, 1)
  check('deleteMany', many.delete_many(group: 9).deleted_count, 100)
  check('left over', many.find.count, 900)
end

def refuse(client)
  check_code('duplicate _id', 11000) { client[:one].insert_one(_id: 1) }
  check_code('unknown command', 59) { client.database.command(noSuchCommand: 1) }
  check_code('unknown operator', 2) { client[:many].find(n: { '$noSuchOperator' => 1 }).to_a }
end

def write_unacknowledged(client)
  client.with(write: { w: 0 })[:silent].insert_one(_id: 1)
  200.times do
    return if client[:silent].find(_id: 1).first

    sleep 0.05
  end
  abort 'ruby: w:0: the document did not arrive'
end

def scenario(client)
  client.database.drop
  insert(client)
  read(client[:many])
  update(client[:many])
  delete(client[:many])
  refuse(client)
  check('listDatabases', client.database_names.include?(NAME), true)
  check('listCollections', client.database.collection_names.sort, %w[many one])
  write_unacknowledged(client)
  client[:one].drop
  check('drop', client.database.collection_names.sort, %w[many silent])
  client.database.drop
  check('dropDatabase', client.database_names.include?(NAME), false)
end

Mongo::Logger.logger.level = Logger::FATAL
client = Mongo::Client.new(ARGV.fetch(0), database: NAME, retry_writes: true, server_selection_timeout: 5)
scenario(client)
client.close
puts 'ok - ruby'
