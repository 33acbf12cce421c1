package import NIOCore

/// One value bound to a `$n` of a statement. It travels in PostgreSQL's binary format and never enters SQL text.
///
/// Text holds no NUL in PostgreSQL; the server answers one with SQLSTATE 22021, so that nothing needs a check here.
package enum Parameter: Sendable {
    /// NULL. Name the type where the server cannot infer it from the place of the `$n`.
    case null(TypeOID = .unspecified)
    case bool(Bool)
    case int4(Int32)
    case int8(Int64)
    case float8(Double)
    case text(String)
    case json(String)
    case jsonb(String)
    case bytea(ByteBuffer)
    /// `bytea` from an array of bytes: keys come so from their encoder.
    case bytes([UInt8])
    /// A transaction number: `xmin` as the version of a row.
    case xid(UInt32)
    case boolArray([Bool])
    case int4Array([Int32])
    case int8Array([Int64])
    case textArray([String])
    case byteaArray([ByteBuffer])
    /// `bytea[]` with NULL elements.
    case nullableByteaArray([ByteBuffer?])
    /// `bytea[]` from arrays of bytes.
    case bytesArray([[UInt8]])
    case xidArray([UInt32])
}

extension Parameter {
    /// The type the statement is prepared with.
    package var type: TypeOID {
        switch self {
        case .null(let type): type
        case .bool: .bool
        case .int4: .int4
        case .int8: .int8
        case .float8: .float8
        case .text: .text
        case .json: .json
        case .jsonb: .jsonb
        case .bytea, .bytes: .bytea
        case .xid: .xid
        case .boolArray: .boolArray
        case .int4Array: .int4Array
        case .int8Array: .int8Array
        case .textArray: .textArray
        case .byteaArray, .nullableByteaArray, .bytesArray: .byteaArray
        case .xidArray: .xidArray
        }
    }

    package var isNull: Bool {
        if case .null = self { true } else { false }
    }
}
