/// The object identifier of a PostgreSQL type, as the catalog `pg_type` of every server numbers it.
package struct TypeOID: RawRepresentable, Equatable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Leaves the type to the server's inference.
    package static let unspecified = TypeOID(rawValue: 0)

    package static let bool = TypeOID(rawValue: 16)
    package static let bytea = TypeOID(rawValue: 17)
    package static let int8 = TypeOID(rawValue: 20)
    package static let int4 = TypeOID(rawValue: 23)
    package static let text = TypeOID(rawValue: 25)
    package static let xid = TypeOID(rawValue: 28)
    package static let json = TypeOID(rawValue: 114)
    package static let float8 = TypeOID(rawValue: 701)
    package static let jsonb = TypeOID(rawValue: 3802)

    package static let boolArray = TypeOID(rawValue: 1000)
    package static let byteaArray = TypeOID(rawValue: 1001)
    package static let int4Array = TypeOID(rawValue: 1007)
    package static let textArray = TypeOID(rawValue: 1009)
    package static let xidArray = TypeOID(rawValue: 1011)
    package static let int8Array = TypeOID(rawValue: 1016)
}
