package import BSON
package import CommandModel

/// The last stage of a pipeline that writes what comes to it, in the place of giving it to the client.
package enum PipelineOutput: Sendable {
    case out(Out)
    case merge(Merge)

    /// The collection that is written.
    package var target: Namespace {
        switch self {
        case .out(let out): out.target
        case .merge(let merge): merge.target
        }
    }

    static func isOutput(_ stage: RawKey) -> Bool { stage == "$out" || stage == "$merge" }
}

extension PipelineCompiler {
    /// - Throws: Location40601 for a stage that is not the last one.
    func output(_ stage: RawElement, isLast: Bool) throws(CommandError) -> PipelineOutput {
        let name = stage.key.string
        guard let database = outputDatabase else {
            throw CommandError(.invalidOptions, "\(name) is not allowed to be used within this pipeline")
        }
        guard isLast else {
            throw CommandError(ErrorCode(40601), "\(name) can only be the final stage in the pipeline")
        }
        return stage.key == "$out"
            ? .out(try Out(compiling: stage.value, in: database))
            : .merge(try Merge(compiling: stage.value, in: database, environment))
    }
}

/// `$out`: what comes takes the place of a collection.
package struct Out: Sendable {
    package let target: Namespace
    /// The options of the time series that the collection is to be, as they were written; nil for none.
    package let timeseries: Document?

    /// - Parameter database: of the command.
    init(compiling value: RawValue, in database: String) throws(CommandError) {
        if let name = value.string {
            target = try Self.target(database, name)
            timeseries = nil
            return
        }
        guard let document = value.document else {
            throw CommandError(
                ErrorCode(16990), "$out only supports a string or object argument, but found \(value.type.alias)")
        }
        let syntax = try OutSyntax(document)
        target = try Self.target(syntax.database, syntax.collection)
        timeseries = syntax.timeseries
    }

    /// A name that no collection can have is found out when the result gets it: it is an illegal renaming.
    private static func target(_ database: String, _ collection: String) throws(CommandError) -> Namespace {
        try Namespace.validate(database: database)
        let target = Namespace(database: database, collection: collection)
        guard let first = collection.utf8.first, first != UInt8(ascii: "."), !collection.utf8.contains(0) else {
            throw CommandError(.invalidNamespace, "Invalid namespace specified '\(target)'")
        }
        guard !target.isOfServer else {
            throw CommandError(ErrorCode(31321), "Can't $out to internal database: \(database)")
        }
        guard !target.isOfSystem else {
            throw CommandError(ErrorCode(17385), "Can't $out to special collection: \(collection)")
        }
        guard !collection.utf8.contains(UInt8(ascii: "$")), target.description.utf8.count <= Namespace.lengthMax else {
            throw CommandError(.illegalOperation, "a collection cannot be renamed to '\(target)'")
        }
        return target
    }
}

private struct OutSyntax {
    var database = ""
    var collection = ""
    var timeseries: Document?

    init(_ document: RawDocument) throws(CommandError) {
        var (database, collection): (String?, String?)
        var seen = Set<String>()
        for field in document {
            let argument = Argument(command: "$out", key: field.key, value: field.value)
            guard seen.insert(field.key.string).inserted else {
                throw CommandError(.idlDuplicateField, "BSON field '\(argument.name)' is a duplicate field")
            }
            switch field.key {
            case "db": database = try argument.ifPresent(Argument.string)
            case "coll": collection = try argument.ifPresent(Argument.string)
            case "timeseries": timeseries = try argument.ifPresent(Argument.document)
            default: throw argument.unknownField()
            }
        }
        guard let database else { throw .missingField("$out.db") }
        guard let collection else { throw .missingField("$out.coll") }
        (self.database, self.collection) = (database, collection)
    }
}

extension Namespace {
    /// In a database that the server keeps for itself.
    var isOfServer: Bool { ["admin", "config", "local"].contains(database) }

    var isOfSystem: Bool { collection.utf8.starts(with: "system.".utf8) }
}
