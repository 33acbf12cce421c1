internal import BSON
internal import CommandModel
internal import Logging

// https://www.mongodb.com/docs/manual/reference/command/setClusterParameter/

/// A parameter of all servers on the database. The known names are MongoDB's. What has no effect here, because there
/// are no change streams and no shards, is kept for who asks; its readers are none.
enum ClusterParameter: String, CaseIterable {
    case changeStreamOptions, changeStreams, defaultMaxTimeMS, fleDisableSubstringPreviewParameterLimits,
        pauseMigrationsDuringMultiUpdates

    init(named name: String) throws(CommandError) {
        guard let parameter = Self(rawValue: name) else {
            throw CommandError(.noSuchKey, "Unknown Cluster Parameter \(name)")
        }
        self = parameter
    }

    var initial: Document {
        Document { builder in
            switch self {
            case .changeStreamOptions:
                builder.beginDocument("preAndPostImages")
                builder.append("expireAfterSeconds", string: "off")
                builder.end()
            case .changeStreams: builder.append("expireAfterSeconds", int64: 3_600)
            case .defaultMaxTimeMS: builder.append("readOperations", int64: 0)
            case .fleDisableSubstringPreviewParameterLimits: builder.append("shouldDisable", bool: false)
            case .pauseMigrationsDuringMultiUpdates: builder.append("enabled", bool: false)
            }
        }
    }

    /// Of all reads that name no time limit.
    static func defaultReadMilliseconds(in setting: Document?) -> Int64 {
        let value = setting?.withRaw { raw in
            raw["defaultMaxTimeMS"]?.document?["readOperations"]?.number?.saturatingInt64
        }
        return value ?? 0
    }
}

// Checks of values.
extension ClusterParameter {
    /// The value as it is stored.
    func value(_ given: RawDocument) throws(CommandError) -> Document {
        for field in given where field.key.string.hasPrefix("$") {
            throw CommandError(
                .dollarPrefixedFieldName, "The dollar ($) prefixed field '\(field.key.string)' is not allowed")
        }
        switch self {
        case .changeStreamOptions: return try imageOptions(given)
        case .changeStreams:
            return try one("expireAfterSeconds", given) { argument throws(CommandError) in
                .int64(try argument.seconds())
            }
        case .defaultMaxTimeMS:
            return try one("readOperations", given) { argument throws(CommandError) in
                let milliseconds = try argument.nonNegativeInteger()
                guard milliseconds <= Int64(Int32.max) else {
                    throw CommandError(.badValue, "readOperations must be at most \(Int32.max)")
                }
                return .int64(milliseconds)
            }
        case .fleDisableSubstringPreviewParameterLimits:
            return try one("shouldDisable", given) { argument throws(CommandError) in .bool(try argument.bool()) }
        case .pauseMigrationsDuringMultiUpdates:
            return try one("enabled", given) { argument throws(CommandError) in .bool(try argument.bool()) }
        }
    }

    /// A document with this one field; without it, or with a null, its initial value.
    private func one(
        _ name: StaticString, _ given: RawDocument, _ read: (Argument) throws(CommandError) -> Value
    ) throws(CommandError) -> Document {
        var value: Value?
        for field in given {
            let argument = Argument(command: "setClusterParameter", key: field.key, value: field.value)
            guard field.key == name else { throw argument.unknownField() }
            if !argument.isOmitted { value = try read(argument) }
        }
        guard let value else { return initial }
        return Document { $0.append(name, value) }
    }

    private func imageOptions(_ given: RawDocument) throws(CommandError) -> Document {
        var expiry: Value?
        for field in given {
            guard field.key == "preAndPostImages", let images = field.value.document else {
                throw CommandError(.badValue, "changeStreamOptions: '\(field.key.string)' is not as it must be")
            }
            for option in images {
                guard option.key == "expireAfterSeconds" else {
                    throw CommandError(.badValue, "preAndPostImages has no field '\(option.key.string)'")
                }
                expiry = try Self.imageExpiry(option.value)
            }
        }
        guard let expiry else {
            throw CommandError(.badValue, "Expected preAndPostImages.expireAfterSeconds, a number or 'off'")
        }
        return Document { builder in
            builder.beginDocument("preAndPostImages")
            builder.append("expireAfterSeconds", expiry)
            builder.end()
        }
    }

    private static func imageExpiry(_ value: BSON.RawValue) throws(CommandError) -> Value {
        if value.string == "off" { return .string("off") }
        guard let seconds = value.number?.saturatingInt64, seconds > 0 else {
            throw CommandError(.badValue, "expireAfterSeconds must be 'off' or a number greater than 0")
        }
        return .int64(seconds)
    }
}

extension Argument {
    fileprivate func seconds() throws(CommandError) -> Int64 {
        let seconds = try integer()
        guard seconds > 0 else { throw CommandError(.badValue, "\(key.string) must be greater than 0") }
        return seconds
    }
}

extension CommandTable {
    @Sendable static func setClusterParameter(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let (parameter, value) = try request.withCommandValue(of: "setClusterParameter") {
            argument throws(CommandError) in try argument.clusterParameter()
        }
        let time = context.server.clock.tick()
        _ = try await context.server.settings.change(.clusterParameters, on: context.engine) { old in
            Document { builder in
                old?.withRaw { raw in
                    for field in raw where field.key.string != parameter.rawValue { builder.append(field) }
                }
                builder.beginDocument(name: parameter.rawValue)
                builder.append("clusterParameterTime", timestamp: time)
                value.withRaw { raw in for field in raw { builder.append(field) } }
                builder.end()
            }
        }
        context.logger.notice("cluster parameter changed", metadata: ["name": "\(parameter.rawValue)"])
        return CommandReply()
    }

    @Sendable static func getClusterParameter(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let parameters = try request.withCommandValue(of: "getClusterParameter") { argument throws(CommandError) in
            try argument.clusterParameters()
        }
        // Another server may have changed it a moment ago.
        try await context.server.settings.refresh(from: context.engine)
        let setting = context.server.settings[.clusterParameters]
        return CommandReply { builder in
            builder.beginArray("clusterParameters")
            for (index, parameter) in parameters.enumerated() {
                builder.append(index: index, .document(parameter.shown(setting)))
            }
            builder.end()
        }
    }
}

extension ClusterParameter {
    fileprivate func shown(_ setting: Document?) -> Document {
        let stored = setting?.withRaw { raw in
            raw.first { $0.key.string == rawValue }?.value.document.map { Document(copying: $0) }
        }
        return Document { builder in
            builder.append("_id", string: rawValue)
            guard let stored = stored ?? nil else {
                builder.append("clusterParameterTime", timestamp: 0)
                return initial.withRaw { raw in for field in raw { builder.append(field) } }
            }
            stored.withRaw { raw in for field in raw { builder.append(field) } }
        }
    }
}

extension Argument {
    fileprivate func clusterParameter() throws(CommandError) -> (ClusterParameter, Document) {
        if isOmitted { throw .missingField(name) }
        guard let document = value.document else { throw wrongType(expected: "object") }
        guard document.elementCount <= 1 else {
            throw CommandError(.invalidOptions, "setClusterParameter only supports setting exactly one parameter")
        }
        guard let field = document.firstElement else {
            throw CommandError(.noSuchKey, "setClusterParameter takes the name of a parameter")
        }
        let parameter = try ClusterParameter(named: field.key.string)
        guard let value = field.value.document else {
            throw CommandError(.badValue, "Cluster parameter value must be an object")
        }
        return (parameter, try parameter.value(value))
    }

    fileprivate func clusterParameters() throws(CommandError) -> [ClusterParameter] {
        if let name = value.string {
            return name == "*" ? ClusterParameter.allCases : [try ClusterParameter(named: name)]
        }
        guard let names = value.array else { throw wrongType(expected: "string, array") }
        guard !names.isEmpty else {
            throw CommandError(.badValue, "Must supply at least one cluster parameter name to getClusterParameter")
        }
        var parameters: [ClusterParameter] = []
        for element in names {
            guard let name = element.value.string else {
                throw .wrongType("getClusterParameter.\(element.key.string)", element.value, expected: "string")
            }
            let parameter = try ClusterParameter(named: name)
            if !parameters.contains(parameter) { parameters.append(parameter) }
        }
        return parameters
    }
}
