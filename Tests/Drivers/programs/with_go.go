// The common scenario (see ../README.md) through the Go driver.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/mongo/writeconcern"
)

const name = "drivers_go"

var ctx = context.Background()

type row struct {
	ID       int    `bson:"_id"`
	N        int    `bson:"n"`
	Group    int    `bson:"group"`
	Flag     bool   `bson:"flag"`
	Replaced string `bson:"replaced"`
}

func fail(what string, detail interface{}) {
	fmt.Fprintf(os.Stderr, "go: %s: %v\n", what, detail)
	os.Exit(1)
}

func must(what string, err error) {
	if err != nil {
		fail(what, err)
	}
}

func check(what string, actual, expected interface{}) {
	if !reflect.DeepEqual(actual, expected) {
		fail(what, fmt.Sprintf("expected %v, got %v", expected, actual))
	}
}

func checkCode(what string, err error, code int) {
	var server mongo.ServerError
	if !errors.As(err, &server) || !server.HasErrorCode(code) {
		fail(what, fmt.Sprintf("expected code %d, got %v", code, err))
	}
}

func numbers(collection *mongo.Collection, filter interface{}, opts ...*options.FindOptions) []int {
	cursor, err := collection.Find(ctx, filter, opts...)
	must("find", err)
	var rows []row
	must("find", cursor.All(ctx, &rows))
	result := make([]int, 0, len(rows))
	for _, row := range rows {
		result = append(result, row.N)
	}
	return result
}

func sequence(first, step, count int) []int {
	result := make([]int, count)
	for i := range result {
		result[i] = first + step*i
	}
	return result
}

func find(collection *mongo.Collection, id int) row {
	var found row
	must("findOne", collection.FindOne(ctx, bson.M{"_id": id}).Decode(&found))
	return found
}

func count(database *mongo.Database, command bson.D) int {
	var reply struct{ N int }
	must("count", database.RunCommand(ctx, command).Decode(&reply))
	return reply.N
}

func insert(database *mongo.Database) {
	_, err := database.Collection("one").InsertOne(ctx, bson.M{"_id": 1, "name": "one"})
	must("insertOne", err)
	documents := make([]interface{}, 1000)
	for i := range documents {
		documents[i] = bson.D{{"_id", i}, {"n", i * 7 % 1000}, {"group", i % 10}, {"text", "a text"}}
	}
	result, err := database.Collection("many").InsertMany(ctx, documents)
	must("insertMany", err)
	check("insertMany", len(result.InsertedIDs), 1000)
}

func read(database *mongo.Database, many *mongo.Collection) {
	all := options.Find().SetSort(bson.M{"n": -1}).SetBatchSize(100)
	check("find in order", numbers(many, bson.M{}, all), sequence(999, -1, 1000))
	some := options.Find().SetProjection(bson.M{"n": 1}).SetSort(bson.M{"n": 1}).SetSkip(5).SetLimit(10)
	check("filter, skip, limit", numbers(many, bson.M{"group": 3}, some), sequence(51, 10, 10))
	check("count", count(database, bson.D{{"count", "many"}, {"query", bson.M{"group": 3}}}), 100)
	groups, err := many.Distinct(ctx, "group", bson.M{})
	must("distinct", err)
	check("distinct", len(groups), 10)
}

func update(many *mongo.Collection) {
	result, err := many.UpdateOne(ctx, bson.M{"_id": 5}, bson.M{"$set": bson.M{"flag": true}, "$inc": bson.M{"n": 1000}})
	must("updateOne", err)
	check("updateOne", result.ModifiedCount, int64(1))
	check("updated document", find(many, 5), row{ID: 5, N: 1035, Group: 5, Flag: true})
	result, err = many.UpdateMany(ctx, bson.M{"group": 4}, bson.M{"$set": bson.M{"seen": 1}})
	must("updateMany", err)
	check("updateMany", result.ModifiedCount, int64(100))
	_, err = many.ReplaceOne(ctx, bson.M{"_id": 6}, bson.M{"replaced": "yes"})
	must("replaceOne", err)
	check("replaced document", find(many, 6), row{ID: 6, Replaced: "yes"})
	upsert := options.Update().SetUpsert(true)
	result, err = many.UpdateOne(ctx, bson.M{"_id": 5000}, bson.M{"$set": bson.M{"a": 1}}, upsert)
	must("upsert", err)
	check("upsert", result.UpsertedID, int32(5000))
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	var changed row
	must("findOneAndUpdate",
		many.FindOneAndUpdate(ctx, bson.M{"_id": 7}, bson.M{"$inc": bson.M{"n": 1}}, after).Decode(&changed))
	check("findOneAndUpdate", changed.N, 50)
}

func remove(database *mongo.Database, many *mongo.Collection) {
	result, err := many.DeleteOne(ctx, bson.M{"_id": 8})
	must("deleteOne", err)
	check("deleteOne", result.DeletedCount, int64(1))
	result, err = many.DeleteMany(ctx, bson.M{"group": 9})
	must("deleteMany", err)
	check("deleteMany", result.DeletedCount, int64(100))
	check("left over", count(database, bson.D{{"count", "many"}}), 900)
}

func refuse(database *mongo.Database) {
	_, err := database.Collection("one").InsertOne(ctx, bson.M{"_id": 1})
	checkCode("duplicate _id", err, 11000)
	checkCode("unknown command", database.RunCommand(ctx, bson.M{"noSuchCommand": 1}).Err(), 59)
	_, err = database.Collection("many").Find(ctx, bson.M{"n": bson.M{"$noSuchOperator": 1}})
	checkCode("unknown operator", err, 2)
}

func writeUnacknowledged(database *mongo.Database) {
	unacknowledged := options.Collection().SetWriteConcern(writeconcern.New(writeconcern.W(0)))
	_, err := database.Collection("silent", unacknowledged).InsertOne(ctx, bson.M{"_id": 1})
	if err != mongo.ErrUnacknowledgedWrite {
		must("w:0", err)
	}
	for i := 0; count(database, bson.D{{"count", "silent"}}) == 0; i++ {
		if i == 200 {
			fail("w:0", "the document did not arrive")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func exists(client *mongo.Client) bool {
	names, err := client.ListDatabaseNames(ctx, bson.M{})
	must("listDatabases", err)
	for _, found := range names {
		if found == name {
			return true
		}
	}
	return false
}

func collections(database *mongo.Database) []string {
	names, err := database.ListCollectionNames(ctx, bson.M{})
	must("listCollections", err)
	sort.Strings(names)
	return names
}

func scenario(client *mongo.Client) {
	database := client.Database(name)
	many := database.Collection("many")
	must("dropDatabase", database.Drop(ctx))
	insert(database)
	read(database, many)
	update(many)
	remove(database, many)
	refuse(database)
	check("listDatabases", exists(client), true)
	check("listCollections", collections(database), []string{"many", "one"})
	writeUnacknowledged(database)
	must("drop", database.Collection("one").Drop(ctx))
	check("drop", collections(database), []string{"many", "silent"})
	must("dropDatabase", database.Drop(ctx))
	check("dropDatabase", exists(client), false)
}

func main() {
	if len(os.Args) != 2 {
		fail("usage", "with_go URI")
	}
	opts := options.Client().ApplyURI(os.Args[1]).SetServerSelectionTimeout(5 * time.Second)
	client, err := mongo.Connect(ctx, opts)
	must("connect", err)
	scenario(client)
	must("disconnect", client.Disconnect(ctx))
	fmt.Println("ok - go")
}
