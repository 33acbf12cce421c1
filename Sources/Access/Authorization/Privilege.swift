package import BSON
package import CommandModel

/// The right to do something with something.
package struct Privilege: Sendable, Hashable {
    package let resource: Resource
    package var actions: ActionSet

    package init(_ resource: Resource, _ actions: ActionSet) {
        self.resource = resource
        self.actions = actions
    }

    /// `{resource: {…}, actions: […]}`
    ///
    /// - Throws: FailedToParse (9) for an unknown action.
    package init(_ element: RawElement) throws(CommandError) {
        guard let document = element.value.document else {
            throw .wrongType("privileges.\(element.key.string)", element.value, expected: "object")
        }
        var resource: Resource?
        var actions: ActionSet?
        for field in document {
            let argument = Argument(command: "privileges", key: field.key, value: field.value)
            switch field.key {
            case "resource":
                guard let pattern = field.value.document else { throw argument.wrongType(expected: "object") }
                resource = try Resource(pattern)
            case "actions": actions = try Self.actions(argument)
            default: throw argument.unknownField()
            }
        }
        guard let resource else { throw .missingField("privileges.resource") }
        guard let actions else { throw .missingField("privileges.actions") }
        self.init(resource, actions)
    }

    private static func actions(_ argument: Argument) throws(CommandError) -> ActionSet {
        var actions = ActionSet()
        for element in try argument.array() {
            guard let name = element.value.string else {
                throw .wrongType("privileges.actions.\(element.key.string)", element.value, expected: "string")
            }
            guard let action = Action(name: name) else {
                throw CommandError(.failedToParse, "Unrecognized action privilege string: \(name)")
            }
            actions.insert(action)
        }
        guard !actions.isEmpty else { throw CommandError(.failedToParse, "a privilege needs at least one action") }
        return actions
    }

    func write(into builder: inout DocumentBuilder, index: Int) {
        builder.beginDocument(index: index)
        resource.write(into: &builder)
        builder.beginArray("actions")
        for (index, name) in actions.names.enumerated() { builder.append(index: index, string: name) }
        builder.end()
        builder.end()
    }
}

/// What somebody may do, all roles together: the actions by resource.
package struct PrivilegeSet: Sendable {
    private var actions: [Resource: ActionSet] = [:]

    package init() {}

    package init(_ privileges: some Sequence<Privilege>) {
        for privilege in privileges { insert(privilege) }
    }

    package mutating func insert(_ privilege: Privilege) {
        actions[privilege.resource, default: ActionSet()].formUnion(privilege.actions)
    }

    package mutating func remove(_ privilege: Privilege) {
        actions[privilege.resource]?.subtract(privilege.actions)
        if actions[privilege.resource]?.isEmpty == true { actions[privilege.resource] = nil }
    }

    package func allows(_ action: Action, on target: Target) -> Bool {
        actions.contains { $0.value.allows(action) && $0.key.covers(target) }
    }

    package func concerns(_ namespace: Namespace) -> Bool {
        actions.keys.contains { $0.covers(.collection(namespace)) }
    }

    /// Whether any privilege is about this database: who has one may see that there is the database.
    package func concerns(database: String) -> Bool {
        actions.keys.contains { resource in
            switch resource {
            case .any: true
            case .cluster: false
            case .collection(let namespace):
                namespace.database.isEmpty || namespace.database.hasSameBytes(as: database)
            }
        }
    }

    /// In an order that does not change.
    package var all: [Privilege] {
        actions.map { Privilege($0.key, $0.value) }.sorted { $0.resource.sortKey < $1.resource.sortKey }
    }
}

extension Resource {
    fileprivate var sortKey: String {
        switch self {
        case .any: "0"
        case .cluster: "1"
        case .collection(let namespace): "2\(namespace.database)\u{0}\(namespace.collection)"
        }
    }
}

extension DocumentBuilder {
    package mutating func append(_ key: StaticString, privileges: [Privilege]) {
        beginArray(key)
        for (index, privilege) in privileges.enumerated() { privilege.write(into: &self, index: index) }
        end()
    }
}
