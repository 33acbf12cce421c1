package import BSON

/// Which index a command wants to be used.
package enum IndexHint: Sendable {
    case name(String)
    case keyPattern(Document)

    package func means(_ definition: IndexDefinition) -> Bool {
        switch self {
        case .name(let name): name == definition.name
        case .keyPattern(let pattern):
            pattern.withRaw { pattern in
                definition.keyPattern.withRaw { ValueOrder(nil).compare($0.value, pattern.value) == 0 }
            }
        }
    }
}

extension RawDocument {
    fileprivate var value: RawValue { RawValue(type: .document, bytes: bytes) }
}
