package import BSON

/// A logical session: the UUID that the driver made, and whose it is.
///
/// Source: specifications/source/sessions/driver-sessions.md
package struct LogicalSessionID: Sendable, Hashable {
    /// 16 bytes.
    package let uuid: [UInt8]

    /// The hash of the user; nil where users do not matter. Nobody gets at the session of another one by its UUID.
    package let owner: [UInt8]?

    package init(uuid: [UInt8], owner: [UInt8]? = nil) {
        self.uuid = uuid
        self.owner = owner
    }

    package func owned(by owner: [UInt8]?) -> LogicalSessionID { LogicalSessionID(uuid: uuid, owner: owner) }

    /// What the session is kept under.
    package var key: [UInt8] { uuid + (owner ?? []) }

    package init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError.wrongType("lsid", value, expected: "object")
        }
        guard let id = document["id"] else {
            throw CommandError(.idlMissingField, "BSON field 'lsid.id' is missing but a required field")
        }
        guard let (subtype, data) = id.binary, subtype == 4 else {
            throw CommandError(.typeMismatch, "BSON field 'lsid.id' is the wrong type, expected type 'UUID'")
        }
        guard data.count == 16 else {
            throw CommandError(
                ErrorCode(207, "InvalidUUID"), "uuid must be a 16-byte binary field with UUID (4) subtype")
        }
        uuid = Array(data)
        owner = nil
    }
}
