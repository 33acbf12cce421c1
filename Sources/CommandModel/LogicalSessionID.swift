package import BSON

/// A logical session: the UUID that the driver made.
///
/// Source: specifications/source/sessions/driver-sessions.md
package struct LogicalSessionID: Sendable, Hashable {
    /// 16 bytes.
    package let uuid: [UInt8]

    package init(uuid: [UInt8]) {
        self.uuid = uuid
    }

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
    }
}
