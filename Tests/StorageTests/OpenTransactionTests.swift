import BSON
import CommandModel
import Metrics
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite(.timeLimit(.minutes(20))) struct OpenTransactionTests {
        @Test("what a transaction writes is seen by itself, by nobody else, and by all after the commit")
        func commit() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": 1}"#, #"{"_id": 2, "n": 2}"#)
            let transaction = try await test.open()
            #expect(!transaction.hasWritten)
            try await transaction.insert(#"{"_id": 3, "n": 3}"#, into: collection)
            #expect(transaction.hasWritten)
            #expect(try await transaction.update(#"{"_id": 1}"#, #"{"$inc": {"n": 10}}"#, in: collection).modified)
            #expect(try await transaction.update(#"{"n": 11}"#, #"{"$inc": {"n": 10}}"#, in: collection).modified)
            #expect(
                try await transaction.modifyOne(.delete(#"{"n": 2}"#), in: collection, deadline: .never).modified)
            let after = [#"{"_id": 1, "n": 21}"#, #"{"_id": 3, "n": 3}"#].map { json($0).text }
            #expect(try await transaction.texts(of: collection) == after)
            #expect(try await transaction.read(key("2"), from: collection) == nil)
            #expect(try await transaction.read(key("3"), from: collection) != nil)
            #expect(try await test.engine.texts(of: collection).count == 2)
            try await transaction.commit()
            #expect(try await test.engine.texts(of: collection) == after)
            test.expectLanesFree()
        }

        @Test("an aborted transaction leaves nothing, and what comes after it finds no transaction")
        func abort() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": 1}"#)
            let transaction = try await test.open()
            try await transaction.insert(#"{"_id": 2}"#, into: collection)
            _ = try await transaction.modifyMany(
                .update("{}", #"{"$set": {"n": 7}}"#, multi: true), in: collection, deadline: .never)
            await transaction.abort()
            test.expectLanesFree()
            await transaction.abort()
            let error = await transactionError { try await transaction.insert(#"{"_id": 2}"#, into: collection) }
            #expect(error?.code.number == 251 && error?.labels == ["TransientTransactionError"])
            #expect(await transactionError { try await transaction.commit() }?.code.number == 251)
            #expect(try await test.engine.texts(of: collection) == [json(#"{"_id": 1, "n": 1}"#).text])
            test.expectLanesFree()
        }

        @Test("a transaction without a statement sends nothing and still has a lane to give back")
        func untouched() async throws {
            let test = try TestTransactions.make()
            try await test.open().commit()
            await (try await test.open()).abort()
            _ = try await test.open()
            test.expectLanesFree()
            #expect(test.pool.metrics.connected == 0)
        }

        @Test("updates, deletes and upserts of many: own writes count, each once")
        func many() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.store.collection()
            try await test.engine.fill((0..<3_000).map { json("{\"_id\": \($0), \"n\": 0}") }, into: collection)
            let transaction = try await test.open()
            let increment = try DocumentOperation.update("{}", #"{"$inc": {"n": 1}}"#, multi: true)
            for _ in 0..<3 {
                let tally = try await transaction.modifyMany(increment, in: collection, deadline: .never)
                #expect(tally.matched == 3_000 && tally.modified == 3_000)
            }
            let threes = FindQuery(filter: try Filter(compiling: json(#"{"n": 3}"#)))
            #expect(try await transaction.count(threes, in: collection) == 3_000)
            let values = try await transaction.distinct(
                FindQuery(filter: .everything), into: DistinctCollector(path: "n"), in: collection)
            #expect(values.sorted().count == 1)
            let removed = try await transaction.modifyMany(
                .delete(#"{"_id": {"$lt": 1000}}"#), in: collection, deadline: .never)
            #expect(removed.modified == 1_000)
            let upserted = try await transaction.modifyOne(
                .update(#"{"name": "new"}"#, #"{"$set": {"n": 3}}"#, upsert: true), in: collection, deadline: .never)
            #expect(upserted.upsertedID != nil)
            let byKey = try await transaction.modifyOne(
                .update(#"{"_id": "k"}"#, #"{"$set": {"n": 3}}"#, upsert: true), in: collection, deadline: .never)
            #expect(byKey.upsertedID != nil)
            #expect(try await transaction.count(FindQuery(filter: .everything), in: collection) == 2_002)
            #expect(try await transaction.texts(of: collection, sort: #"{"n": 1, "_id": -1}"#).count == 2_002)
            #expect(try await transaction.texts(of: collection, where: #"{"n": 3}"#).count == 2_002)
            #expect(try await test.engine.count(threes, in: collection) == 0)
            try await transaction.commit()
            #expect(try await test.engine.count(threes, in: collection) == 2_002)
        }

        @Test("the snapshot is that of the first statement, for all collections and cursors")
        func snapshot() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": 1}"#)
            let transaction = try await test.open()
            #expect(try await transaction.texts(of: collection).count == 1)
            try await test.engine.insert(json(#"{"_id": 2}"#), into: collection)
            _ = try await test.engine.modify(.update(#"{"_id": 1}"#, #"{"$set": {"n": 9}}"#), in: collection)
            #expect(try await transaction.texts(of: collection) == [json(#"{"_id": 1, "n": 1}"#).text])
            #expect(try await transaction.count(FindQuery(filter: .everything), in: collection) == 1)
            #expect(try await transaction.read(key("2"), from: collection) == nil)
            try await transaction.commit(recording: [Statement("this is not run when nothing was written")])
            test.expectLanesFree()
        }

        @Test("a duplicate that the snapshot shows is one, and does not spoil the transaction")
        func duplicate() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1}"#)
            let transaction = try await test.open()
            let refused = try await transaction.insert(
                [json(#"{"_id": 2}"#), json(#"{"_id": 1}"#), json(#"{"_id": 2}"#), json(#"{"_id": 3}"#)],
                into: collection, isOrdered: false)
            #expect(refused.map(\.index) == [1, 2])
            #expect(refused.allSatisfy { $0.error.code.number == 11000 })
            let ordered = try await transaction.insert(
                [json(#"{"_id": 4}"#), json(#"{"_id": 1}"#), json(#"{"_id": 5}"#)], into: collection, isOrdered: true)
            #expect(ordered.map(\.index) == [1])
            try await transaction.commit()
            #expect(try await test.engine.count(FindQuery(filter: .everything), in: collection) == 4)
        }

        @Test("an error found on this side leaves the transaction open: the caller decides")
        func commandError() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": "text"}"#, #"{"_id": 2, "n": 0}"#)
            let transaction = try await test.open()
            try await transaction.insert(#"{"_id": 3}"#, into: collection)
            let increment = #"{"$inc": {"n": 1}}"#
            #expect(
                await transactionError { _ = try await transaction.update(#"{"_id": 1}"#, increment, in: collection) }?
                    .code.number == 14)
            let many = try DocumentOperation.update("{}", increment, multi: true)
            #expect(
                await transactionError { _ = try await transaction.modifyMany(many, in: collection, deadline: .never) }?
                    .code.number == 14)
            #expect(test.lanes.leased == 1)
            try await transaction.insert(#"{"_id": 4}"#, into: collection)
            try await transaction.commit()
            #expect(try await test.engine.count(FindQuery(filter: .everything), in: collection) == 4)
        }

        @Test("a scan that its reader refuses to go on with leaves no cursor behind")
        func refusedScan() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.store.collection()
            try await test.engine.fill((0..<500).map { json("{\"_id\": \($0)}") }, into: collection)
            let transaction = try await test.open()
            for _ in 0..<3 {
                let code = await errorCode {
                    try await transaction.withConnection { connection throws(StorageError) in
                        let plan = ScanPlan(collection, order: .insertion(descending: false))
                        _ = try Scanner(on: connection, deadline: .never).forEachRow(of: plan) {
                            row throws(StorageError) in
                            throw .command(CommandError(.badValue, "enough"))
                        }
                    }
                }
                #expect(code == 2)
            }
            #expect(try await transaction.texts(of: collection).count == 500)
            try await transaction.commit()
        }

        @Test("a read-only transaction refuses to write")
        func readOnly() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1}"#)
            let transaction = try await test.open(isReadOnly: true)
            #expect(try await transaction.texts(of: collection).count == 1)
            #expect(await errorCode { try await transaction.insert(#"{"_id": 2}"#, into: collection) } == 10107)
            #expect(!transaction.hasWritten)
            test.expectLanesFree()
        }

        @Test("the record of a commit is written with it, and one that fails prevents it")
        func record() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection()
            let beside = try test.store.connect()
            try beside.execute(script: "CREATE TABLE record (number int8 PRIMARY KEY)")
            let record = Statement("INSERT INTO record VALUES ($1)", [.int8(5)])
            for id in 1...2 {
                let transaction = try await test.open()
                try await transaction.insert("{\"_id\": \(id)}", into: collection)
                let code = await errorCode { try await transaction.commit(recording: [record]) }
                #expect((code == nil) == (id == 1))
            }
            #expect(try beside.execute(Statement("SELECT FROM record")).rowCount == 1)
            #expect(try await test.engine.texts(of: collection) == [json(#"{"_id": 1}"#).text])
            test.expectLanesFree()
        }
    }
}
