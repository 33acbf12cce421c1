internal import CICU

// The options of a collation and the attributes of ICU's collators.
extension Collation {
    /// Sets what is said; the rest stays as the locale has it.
    func apply(to handle: OpaquePointer, _ status: inout CICUErrorCode) {
        func set(_ attribute: UColAttribute, _ value: UColAttributeValue?) {
            if let value { cicu_collator_set(handle, attribute, value, &status) }
        }
        func set(_ attribute: UColAttribute, _ flag: Bool?) {
            set(attribute, flag.map { $0 ? UCOL_ON : UCOL_OFF })
        }
        set(UCOL_STRENGTH, strength.map { Self.strengths[$0 - 1] })
        set(UCOL_CASE_LEVEL, caseLevel)
        set(UCOL_CASE_FIRST, caseFirst?.attribute)
        set(UCOL_NUMERIC_COLLATION, numericOrdering)
        set(UCOL_ALTERNATE_HANDLING, alternate.map { $0 == .shifted ? UCOL_SHIFTED : UCOL_NON_IGNORABLE })
        set(UCOL_NORMALIZATION_MODE, normalization)
        set(UCOL_FRENCH_COLLATION, backwards)
        if let maxVariable {
            let group = maxVariable == .space ? UCOL_REORDER_CODE_SPACE : UCOL_REORDER_CODE_PUNCTUATION
            cicu_collator_set_max_variable(handle, group, &status)
        }
    }

    /// What a collator compares by, of which `collation` says a part.
    init(completing collation: Collation, from handle: OpaquePointer, _ status: inout CICUErrorCode) {
        self.init(locale: collation.locale)
        func get(_ attribute: UColAttribute) -> UColAttributeValue { cicu_collator_get(handle, attribute, &status) }
        let strength = get(UCOL_STRENGTH)
        self.strength = Self.strengths.firstIndex(of: strength).map { $0 + 1 } ?? 3
        caseLevel = get(UCOL_CASE_LEVEL) == UCOL_ON
        caseFirst = CaseFirst(get(UCOL_CASE_FIRST))
        numericOrdering = get(UCOL_NUMERIC_COLLATION) == UCOL_ON
        alternate = get(UCOL_ALTERNATE_HANDLING) == UCOL_SHIFTED ? .shifted : .nonIgnorable
        normalization = get(UCOL_NORMALIZATION_MODE) == UCOL_ON
        backwards = get(UCOL_FRENCH_COLLATION) == UCOL_ON
        maxVariable = cicu_collator_get_max_variable(handle) == UCOL_REORDER_CODE_SPACE ? .space : .punct
    }

    private static let strengths = [
        UCOL_PRIMARY, UCOL_SECONDARY, UCOL_TERTIARY, UCOL_QUATERNARY, UCOL_IDENTICAL,
    ]
}

extension Collation.CaseFirst {
    fileprivate var attribute: UColAttributeValue {
        switch self {
        case .upper: UCOL_UPPER_FIRST
        case .lower: UCOL_LOWER_FIRST
        case .off: UCOL_OFF
        }
    }

    fileprivate init(_ attribute: UColAttributeValue) {
        switch attribute {
        case UCOL_UPPER_FIRST: self = .upper
        case UCOL_LOWER_FIRST: self = .lower
        default: self = .off
        }
    }
}
