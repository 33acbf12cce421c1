internal import CLibPQ

/// What one statement returned. It owns the rows until it is released; what ``bytes(row:column:)`` hands out is
/// borrowed from it.
///
/// Values are in PostgreSQL's binary format. A row or column that does not exist reads as NULL, as libpq has it.
// Safety: nothing changes in it once it is made, and libpq lets any thread read and clear a PGresult.
package final class StatementResult: @unchecked Sendable {
    private let handle: OpaquePointer

    init(adopting handle: OpaquePointer) {
        self.handle = handle
        rowCount = Int(PQntuples(handle))
    }

    deinit {
        PQclear(handle)
    }

    package let rowCount: Int

    package var columnCount: Int { Int(PQnfields(handle)) }

    package func columnName(_ column: Int) -> String? {
        PQfname(handle, Int32(truncatingIfNeeded: column)).map { String(cString: $0) }
    }

    /// Rows inserted, updated, deleted or selected, as the command's tag tells.
    package var affectedRows: Int {
        guard let text = PQcmdTuples(handle) else { return 0 }
        return Int(String(cString: text)) ?? 0
    }

    /// What the server says it did: `COMMIT`, `ROLLBACK`, `INSERT 0 1` …
    package var commandTag: String {
        PQcmdStatus(handle).map { String(cString: $0) } ?? ""
    }

    @inline(__always)
    package func isNull(row: Int, column: Int) -> Bool {
        PQgetisnull(handle, Int32(truncatingIfNeeded: row), Int32(truncatingIfNeeded: column)) != 0
    }

    /// The value as it came, nil for NULL. Valid as long as this result is alive.
    @inline(__always)
    package func bytes(row: Int, column: Int) -> UnsafeRawBufferPointer? {
        let row = Int32(truncatingIfNeeded: row)
        let column = Int32(truncatingIfNeeded: column)
        let length = Int(PQgetlength(handle, row, column))
        // Only an empty value can be NULL, which spares most values the second call.
        if length == 0 && PQgetisnull(handle, row, column) != 0 { return nil }
        return UnsafeRawBufferPointer(start: PQgetvalue(handle, row, column), count: length)
    }
}

extension StatementResult {
    /// An integer of two, four or eight bytes; nil for NULL and for anything else.
    package func int8(row: Int, column: Int) -> Int64? {
        guard let bytes = bytes(row: row, column: column) else { return nil }
        switch bytes.count {
        case 8: return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        case 4: return Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        case 2: return Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        default: return nil
        }
    }

    /// A transaction number or an object identifier.
    package func uint32(row: Int, column: Int) -> UInt32? {
        guard let bytes = bytes(row: row, column: column), bytes.count == 4 else { return nil }
        return UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))
    }

    /// `float4` or `float8`.
    package func float8(row: Int, column: Int) -> Double? {
        guard let bytes = bytes(row: row, column: column) else { return nil }
        switch bytes.count {
        case 8: return Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
        case 4: return Double(Float(bitPattern: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))))
        default: return nil
        }
    }

    package func bool(row: Int, column: Int) -> Bool? {
        guard let bytes = bytes(row: row, column: column), bytes.count == 1 else { return nil }
        return bytes[0] != 0
    }

    /// Any value whose binary format is its text: `text`, `varchar`, `name`, `json`.
    package func text(row: Int, column: Int) -> String? {
        bytes(row: row, column: column).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A copy of a `bytea`.
    package func byteArray(row: Int, column: Int) -> [UInt8]? {
        bytes(row: row, column: column).map { Array($0) }
    }
}
