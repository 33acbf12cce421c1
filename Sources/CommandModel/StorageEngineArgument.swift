internal import BSON

// Collections are tables of PostgreSQL, so what a client says to another storage engine has no effect; it is checked
// and kept, because tools that copy collections compare it.

extension Argument {
    /// `{wiredTiger: {configString: "…"}}`
    package func checkStorageEngine() throws(CommandError) {
        try forEachField(named: "storageEngine") { engine throws(CommandError) in
            guard engine.key == "wiredTiger" else {
                throw CommandError(
                    .invalidOptions, "\(engine.key.string) is not a registered storage engine for this server")
            }
            guard engine.value.document != nil else {
                throw CommandError(.badValue, "'storageEngine.wiredTiger' has to be an embedded document.")
            }
            try engine.forEachField(named: "storageEngine.wiredTiger") { option throws(CommandError) in
                guard option.key == "configString" else {
                    throw CommandError(
                        .invalidOptions,
                        "'\(option.key.string)' is not a supported option in 'storageEngine.wiredTiger'")
                }
                try Self.checkConfiguration(option.string())
            }
        }
    }

    /// `{storageEngine: …}`
    package func checkIndexOptionDefaults() throws(CommandError) {
        try forEachField(named: "create.indexOptionDefaults") { option throws(CommandError) in
            guard option.key == "storageEngine" else { throw option.unknownField() }
            try option.checkStorageEngine()
        }
    }

    private static let configurationKeys: Set<Substring> = [
        "access_pattern_hint", "allocation_size", "block_compressor", "cache_resident", "checksum", "internal_key_max",
        "internal_page_max", "leaf_key_max", "leaf_page_max", "leaf_value_max", "log", "memory_page_max",
        "prefix_compression", "split_pct", "type",
    ]

    private static func checkConfiguration(_ text: String) throws(CommandError) {
        guard !text.utf8.contains(0) else {
            throw CommandError(.failedToParse, "a configuration string must not contain a null byte")
        }
        for setting in text.split(separator: ",") {
            guard let key = setting.split(separator: "=").first, configurationKeys.contains(key) else {
                throw CommandError(.badValue, "unknown configuration key: '\(setting)'")
            }
        }
    }
}
