internal import CSnappy

/// Snappy keeps no state between messages.
enum Snappy {
    static func compress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        var count = target.count
        let status = snappy_compress(source.characters, source.count, target.characters, &count)
        return status == SNAPPY_OK ? count : nil
    }

    /// What the data says of itself; nil when it says nothing sensible.
    static func uncompressedSize(_ source: UnsafeRawBufferPointer) -> Int? {
        var size = 0
        return snappy_uncompressed_length(source.characters, source.count, &size) == SNAPPY_OK ? size : nil
    }

    static func decompress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        var count = target.count
        let status = snappy_uncompress(source.characters, source.count, target.characters, &count)
        return status == SNAPPY_OK && count == target.count
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var characters: UnsafePointer<CChar>? {
        baseAddress?.assumingMemoryBound(to: CChar.self)
    }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate var characters: UnsafeMutablePointer<CChar>? {
        baseAddress?.assumingMemoryBound(to: CChar.self)
    }
}
