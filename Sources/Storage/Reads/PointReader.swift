internal import BSON
package import NIOCore
package import Postgres
internal import SQL

/// A read of one document by its key, on its way to a reader thread.
package struct PointRead: Sendable {
    package let collection: Collection
    package let key: ByteBuffer
    /// Checked before the read begins.
    let deadline: Deadline
    /// Resumed with the document's bytes, or nil when there is none.
    let continuation: UnsafeContinuation<Result<ByteBuffer?, StorageError>, Never>
}

/// Point reads that arrived together: those of one collection share one `id = ANY($1)` statement.
///
/// Measured on one connection with 1.2 kB documents, `ANY` costs less per read from about four keys on (23 µs against
/// 33 at sixteen); below that, single statements in one pipeline are as good and need no matching of rows to requests.
struct PointReads {
    static let manyThreshold = 4

    private let groups: [ArraySlice<PointRead>]

    init(_ requests: [PointRead]) {
        groups = requests.isEmpty ? [] : Self.groupedByCollection(requests)
    }

    func enqueue(on connection: Connection) {
        for group in groups { enqueue(group, on: connection) }
    }

    func receive(from connection: Connection) {
        for group in groups { receive(group, from: connection) }
    }

    /// Each group is sorted by key. Nearly always there is one collection, and a sort finds that out cheaply.
    private static func groupedByCollection(_ requests: [PointRead]) -> [ArraySlice<PointRead>] {
        if requests.count == 1 { return [requests[...]] }
        let sorted = requests.sorted { left, right in
            if left.collection.number != right.collection.number {
                return left.collection.number < right.collection.number
            }
            return compare(left.key, right.key) < 0
        }
        var groups: [ArraySlice<PointRead>] = []
        var start = 0
        for index in 1...sorted.count
        where index == sorted.count || sorted[index].collection.number != sorted[start].collection.number {
            groups.append(sorted[start..<index])
            start = index
        }
        return groups
    }

    /// One sync per group: a collection that was dropped meanwhile fails its own readers only.
    private func enqueue(_ group: ArraySlice<PointRead>, on connection: Connection) {
        guard let first = group.first else { return }
        if group.count >= Self.manyThreshold {
            connection.enqueue(Statement(first.collection.sql.readMany, [.byteaArray(group.map(\.key))]))
        } else {
            for read in group { connection.enqueue(Statement(first.collection.sql.read, [.bytea(read.key)])) }
        }
        connection.enqueueSync()
    }

    private func receive(_ group: ArraySlice<PointRead>, from connection: Connection) {
        if group.count >= Self.manyThreshold {
            receiveMany(group, from: connection)
        } else {
            for read in group { receiveOne(read, from: connection) }
        }
        do throws(PostgresError) {
            try connection.nextSync()
        } catch {
            // The reads have their answers, and the thread finds the connection broken before its next batch.
        }
    }

    private func receiveOne(_ read: PointRead, from connection: Connection) {
        do throws(PostgresError) {
            let result = try connection.next()
            let bytes = result.rowCount > 0 ? result.bytes(row: 0, column: 1) : nil
            read.continuation.resume(returning: .success(bytes.map { ByteBuffer(bytes: $0) }))
        } catch {
            read.continuation.resume(returning: .failure(.postgres(error)))
        }
    }

    private func receiveMany(_ group: ArraySlice<PointRead>, from connection: Connection) {
        do throws(PostgresError) {
            let result = try connection.next()
            var found = [Int32](repeating: -1, count: group.count)
            for row in 0..<result.rowCount {
                guard let key = result.bytes(row: row, column: 0) else { continue }
                mark(key, row: Int32(truncatingIfNeeded: row), in: group, &found)
            }
            for (read, row) in zip(group, found) {
                let bytes = row >= 0 ? result.bytes(row: Int(row), column: 1) : nil
                read.continuation.resume(returning: .success(bytes.map { ByteBuffer(bytes: $0) }))
            }
        } catch {
            for read in group { read.continuation.resume(returning: .failure(.postgres(error))) }
        }
    }

    /// Notes the row for every read of `key`: the group is sorted, so they are neighbours.
    private func mark(
        _ key: UnsafeRawBufferPointer, row: Int32, in group: ArraySlice<PointRead>, _ found: inout [Int32]
    ) {
        var low = group.startIndex
        var high = group.endIndex
        while low < high {
            let middle = (low + high) / 2
            if compare(group[middle].key, key) < 0 { low = middle + 1 } else { high = middle }
        }
        while low < group.endIndex, compare(group[low].key, key) == 0 {
            found[low - group.startIndex] = row
            low += 1
        }
    }
}
