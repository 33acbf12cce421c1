# The common scenario (see ../README.md) through the Perl driver, without the unacknowledged write: this driver sends
# it as OP_INSERT, an opcode that MongoDB itself has removed.

use strict;
use warnings;

use BSON::Types ':all';
use MongoDB;
use Try::Tiny;

my $NAME = 'drivers_perl';

# Compares two values, lists by their elements.
sub check {
    my ($what, $actual, $expected) = @_;
    my ($left, $right) = map { join ' ', ref $_ eq 'ARRAY' ? @$_ : $_ // 'undef' } $actual, $expected;
    die "$what: expected $right, got $left\n" if $left ne $right;
}

sub check_code {
    my ($what, $code, $operation) = @_;
    my $actual = try { $operation->(); 'no error' } catch { ref $_ && $_->can('code') ? $_->code : $_ };
    check($what, $actual, $code);
}

sub count {
    my ($database, @arguments) = @_;
    return $database->run_command([count => @arguments])->{n};
}

sub insert {
    my ($database) = @_;
    $database->coll('one')->insert_one({_id => 1, name => 'one'});
    my @documents = map { {_id => $_, n => $_ * 7 % 1000, group => $_ % 10, text => 'x' x 100} } 0 .. 999;
    check('insertMany', $database->coll('many')->insert_many(\@documents)->inserted_count, 1000);
}

sub read_back {
    my ($database, $many) = @_;
    my @all = map { $_->{n} } $many->find({}, {sort => [n => -1], batchSize => 100})->all;
    check('find in order', \@all, [reverse 0 .. 999]);
    my $options = {projection => {n => 1}, sort => [n => 1], skip => 5, limit => 10};
    my @rows = $many->find({group => 3}, $options)->all;
    check('skip and limit', [map { $_->{n} } @rows], [map { 51 + 10 * $_ } 0 .. 9]);
    check('projection', [sort keys %{$rows[0]}], ['_id', 'n']);
    check('count', count($database, 'many', query => {group => 3}), 100);
    check('distinct', [sort $many->distinct('group')->all], [0 .. 9]);
}

sub update {
    my ($many) = @_;
    my $result = $many->update_one({_id => 5}, {'$set' => {flag => bson_bool(1)}, '$inc' => {n => 1000}});
    check('updateOne', [$result->matched_count, $result->modified_count], [1, 1]);
    my $row = $many->find_one({_id => 5});
    check('updated document', [$row->{n}, $row->{flag} ? 'true' : 'false'], [1035, 'true']);
    check('updateMany', $many->update_many({group => 4}, {'$set' => {seen => 1}})->modified_count, 100);
    $many->replace_one({_id => 6}, {replaced => 'yes'});
    my %row = %{$many->find_one({_id => 6})};
    check('replaced document', [map { $_ => $row{$_} } sort keys %row], [_id => 6, replaced => 'yes']);
    $result = $many->update_one({_id => 5000}, {'$set' => {a => 1}}, {upsert => 1});
    check('upsert', $result->upserted_id, 5000);
    $row = $many->find_one_and_update({_id => 7}, {'$inc' => {n => 1}}, {returnDocument => 'after'});
    check('findOneAndUpdate', $row->{n}, 50);
}

sub delete_some {
    my ($database, $many) = @_;
    check('deleteOne', $many->delete_one({_id => 8})->deleted_count, 1);
    check('deleteMany', $many->delete_many({group => 9})->deleted_count, 100);
    check('left over', count($database, 'many'), 900);
}

sub refuse {
    my ($database) = @_;
    check_code('duplicate _id', 11000, sub { $database->coll('one')->insert_one({_id => 1}) });
    check_code('unknown command', 59, sub { $database->run_command([noSuchCommand => 1]) });
    check_code('unknown operator', 2, sub { $database->coll('many')->find({n => {'$noSuchOperator' => 1}})->all });
}

sub exists_database {
    my ($client) = @_;
    return scalar grep { $_ eq $NAME } $client->database_names;
}

sub scenario {
    my ($client) = @_;
    my $database = $client->db($NAME);
    my $many = $database->coll('many');
    $database->drop;
    insert($database);
    read_back($database, $many);
    update($many);
    delete_some($database, $many);
    refuse($database);
    check('listDatabases', exists_database($client), 1);
    check('listCollections', [sort $database->collection_names], ['many', 'one']);
    $database->coll('one')->drop;
    check('drop', [$database->collection_names], ['many']);
    $database->drop;
    check('dropDatabase', exists_database($client), 0);
}

my $client = MongoDB->connect($ARGV[0], {retry_writes => 1, server_selection_timeout_ms => 5000});
try { scenario($client) } catch { die "perl: $_\n" };
print "ok - perl\n";
