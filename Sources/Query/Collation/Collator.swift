package import BSON
internal import CICU
package import CommandModel
internal import Synchronization

/// Compares text as a collation says, through ICU.
///
/// Opening one reads tables and takes milliseconds, so that all commands with the same collation share one.
///
// Safety: ICU's functions on a collator that nobody changes may run on any number of threads at once
// (https://unicode-org.github.io/icu/userguide/icu/design.html#thread-safety); it is set up in init and never changed.
package final class Collator: TextOrder, @unchecked Sendable {
    private let handle: OpaquePointer
    /// The same without normalization, if the collation has it: see ``handle(for:)``.
    private let unnormalized: OpaquePointer?
    /// What is compared by, with all that was left out.
    package let collation: Collation

    private init(_ handle: OpaquePointer, _ collation: Collation, _ status: inout CICUErrorCode) {
        self.handle = handle
        self.collation = collation
        unnormalized = collation.normalization == true ? cicu_collator_copy(handle, &status) : nil
        if let unnormalized { cicu_collator_set(unnormalized, UCOL_NORMALIZATION_MODE, UCOL_OFF, &status) }
    }

    deinit {
        cicu_collator_close(handle)
        cicu_collator_close(unnormalized)
    }

    package func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        if unnormalized != nil, handle(for: left) != handle || handle(for: right) != handle {
            return compareByKey(left, right)
        }
        let order = cicu_collator_compare(
            handle, left.characters, Int32(clamping: left.count), right.characters, Int32(clamping: right.count))
        return Int(order)
    }

    private func compareByKey(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        var (leftKey, rightKey): ([UInt8], [UInt8]) = ([], [])
        appendKey(of: left, to: &leftKey)
        appendKey(of: right, to: &rightKey)
        return leftKey == rightKey ? 0 : leftKey.lexicographicallyPrecedes(rightKey) ? -1 : 1
    }

    /// ICU sorts combining marks that follow one another in a time that grows with the square of their number: hours
    /// for 16 MiB of them. No language has more than a few, so that a text with thousands is taken as it is.
    private func handle(for text: UnsafeRawBufferPointer) -> OpaquePointer {
        guard let unnormalized, text.count > Self.marksMax else { return handle }
        let hasMany = cicu_has_marks(text.characters, Int32(clamping: text.count), Int32(Self.marksMax))
        return hasMany ? unnormalized : handle
    }

    private static let marksMax = 1_000

    /// Texts that compare equal have the same key. It ends with a zero, and has none before.
    package func appendKey(of text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        // A unit of UTF-16 stands for at least one byte of UTF-8.
        withUnsafeTemporaryAllocation(of: UChar.self, capacity: max(text.count, 1)) { units in
            let count = cicu_utf16(
                text.characters, Int32(clamping: text.count), units.baseAddress, Int32(clamping: units.count))
            appendKey(of: units.baseAddress, count, handle(for: text), to: &bytes)
        }
    }

    private func appendKey(
        of units: UnsafePointer<UChar>?, _ count: Int32, _ handle: OpaquePointer, to bytes: inout [UInt8]
    ) {
        let estimate = 4 * Int(count) + 16
        let needed = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: estimate) { key in
            let needed = Int(
                cicu_collator_sort_key(handle, units, count, key.baseAddress, Int32(clamping: estimate)))
            if needed <= estimate { bytes.append(contentsOf: UnsafeBufferPointer(rebasing: key[..<needed])) }
            return needed
        }
        if needed > estimate {
            var key = [UInt8](repeating: 0, count: needed)
            _ = cicu_collator_sort_key(handle, units, count, &key, Int32(clamping: needed))
            bytes.append(contentsOf: key)
        }
        // Out of memory: nothing but the end, so that the key is no beginning of others.
        if needed == 0 { bytes.append(0) }
    }

    /// Which data stand behind the collator: keys made with others do not compare with its keys.
    package var dataVersion: String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4) { version in
            cicu_collator_version(handle, version.baseAddress)
            return version.map(String.init).joined(separator: ".")
        }
    }
}

// Opening.
extension Collator {
    /// Collations are chosen by clients: no more than these are kept.
    private static let cachedMax = 128

    private static let cache = Mutex<[Collation: Collator]>([:])

    /// - Throws: BadValue (2) when there is no such locale.
    package static func shared(for collation: Collation) throws(CommandError) -> Collator {
        if let cached = cache.withLock({ $0[collation] }) { return cached }
        let collator = try Collator(opening: collation)
        cache.withLock { cache in
            if cache.count >= cachedMax { cache.removeAll() }
            cache[collation] = collator
        }
        return collator
    }

    private convenience init(opening collation: Collation) throws(CommandError) {
        var status = U_ZERO_ERROR
        let locale = collation.locale
        guard Self.icuName(of: locale) == locale, !locale.isEmpty, let handle = cicu_collator_open(locale, &status)
        else { throw Self.unknown(locale) }
        // A locale that ICU does not have becomes the next wider one.
        let valid = cicu_collator_valid_locale(handle, &status).map(String.init(cString:))
        collation.apply(to: handle, &status)
        self.init(handle, Collation(completing: collation, from: handle, &status), &status)
        guard valid == locale, status.rawValue <= U_ZERO_ERROR.rawValue else {
            throw Self.unknown(locale, suggestion: valid)
        }
    }

    private static func icuName(of locale: String) -> String? {
        var status = U_ZERO_ERROR
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(ULOC_FULLNAME_CAPACITY)) { name in
            let length = cicu_locale_name(locale, name.baseAddress, ULOC_FULLNAME_CAPACITY, &status)
            guard status == U_ZERO_ERROR, length >= 0 else { return nil }
            return name.baseAddress.map { String(cString: $0) }
        }
    }

    private static func unknown(_ locale: String, suggestion: String? = nil) -> CommandError {
        let suggestion = suggestion ?? icuName(of: locale)
        let hint = suggestion.map { $0 == locale || $0 == "root" ? "" : ". Did you mean '\($0)'?" } ?? ""
        return CommandError(.badValue, "Field 'locale' is invalid in: { locale: \"\(locale.prefix(100))\" }\(hint)")
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var characters: UnsafePointer<CChar>? { baseAddress?.assumingMemoryBound(to: CChar.self) }
}
