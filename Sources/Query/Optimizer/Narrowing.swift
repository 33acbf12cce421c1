package import BSON

/// What is left of a document for whoever reads some of its fields only. See ``FieldNeeds``.
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class Narrowing: @unchecked Sendable {
    private struct Field {
        let key: RawKey
        let isWhole: Bool
        let fields: ArenaList<Field>
    }

    private let arena: ProgramArena
    private let fields: ArenaList<Field>

    init(_ needs: FieldNeeds) {
        let arena = ProgramArena()
        fields = Self.fields(of: needs, in: arena)
        self.arena = arena
    }

    private static func fields(of needs: FieldNeeds, in arena: ProgramArena) -> ArenaList<Field> {
        arena.list(
            needs.children.map { child in
                Field(
                    key: arena.copy(name: child.name), isWhole: child.needs.isWhole,
                    fields: fields(of: child.needs, in: arena))
            })
    }

    /// Appends the fields that are left.
    package func write(_ document: RawDocument, into builder: inout DocumentBuilder) {
        withExtendedLifetime(arena) { Self.write(document, fields, into: &builder) }
    }

    /// The recursion is as deep as paths are long.
    private static func write(
        _ document: RawDocument, _ fields: ArenaList<Field>, into builder: inout DocumentBuilder
    ) {
        for element in document {
            for index in 0..<fields.count where fields[index].key == element.key {
                write(element, fields[index], into: &builder)
                break
            }
        }
    }

    private static func write(_ element: RawElement, _ field: Field, into builder: inout DocumentBuilder) {
        if field.isWhole {
            builder.append(copying: element)
        } else if let document = element.value.document {
            builder.beginDocument(element.key)
            write(document, field.fields, into: &builder)
            builder.end()
        } else if let array = element.value.array {
            builder.beginArray(element.key)
            writeElements(of: array, field, into: &builder)
            builder.end()
        } else {
            builder.append(copying: element)
        }
    }

    /// An array directly in an array is entered by some paths and not by others: it stays as it is.
    private static func writeElements(of array: RawDocument, _ field: Field, into builder: inout DocumentBuilder) {
        for element in array {
            guard let document = element.value.document else {
                builder.append(copying: element)
                continue
            }
            builder.beginDocument(element.key)
            write(document, field.fields, into: &builder)
            builder.end()
        }
    }
}

extension Batch {
    /// Appends what is left of a document.
    package mutating func append(_ document: RawDocument, narrowedBy narrowing: Narrowing) {
        append { builder in narrowing.write(document, into: &builder) }
    }
}

extension Narrowing {
    /// A copy of what is left of a document.
    package func narrowed(_ document: RawDocument) -> Document {
        Document { builder in write(document, into: &builder) }
    }

    /// The names that are left, for `explain`: dotted where not all of a field is.
    package var paths: [String] {
        withExtendedLifetime(arena) { Self.paths(of: fields, below: "") }
    }

    private static func paths(of fields: ArenaList<Field>, below prefix: String) -> [String] {
        fields.nodes.flatMap { field in
            let path = prefix + field.key.string
            return field.fields.isEmpty ? [path] : paths(of: field.fields, below: path + ".")
        }
    }
}
