internal import CZstd

final class ZstdCompressor {
    /// zstd's default.
    private static let level: Int32 = 3

    private let context = ZSTD_createCCtx()

    deinit { ZSTD_freeCCtx(context) }

    static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    func compress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        // No memory for a context: the reply goes out as it is.
        guard let context else { return nil }
        let count = ZSTD_compressCCtx(
            context, target.baseAddress, target.count, source.baseAddress, source.count, Self.level)
        return ZSTD_isError(count) == 0 ? count : nil
    }
}

final class ZstdDecompressor {
    /// `ZSTD_CONTENTSIZE_UNKNOWN`, a macro that Swift does not see: frames of streaming writers do not state a size.
    private static let sizeUnknown = UInt64.max

    private let context = ZSTD_createDCtx()

    deinit { ZSTD_freeDCtx(context) }

    /// A first frame that states more than `size`, or is no frame (`ZSTD_CONTENTSIZE_ERROR`, the second largest
    /// number), cannot yield it. It may state less: several frames may follow each other.
    static func mayYield(_ source: UnsafeRawBufferPointer, size: Int) -> Bool {
        let stated = ZSTD_getFrameContentSize(source.baseAddress, source.count)
        return stated == sizeUnknown || stated <= UInt64(size)
    }

    func decompress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        guard let context else { return false }
        let count = ZSTD_decompressDCtx(
            context, target.baseAddress, target.count, source.baseAddress, source.count)
        return ZSTD_isError(count) == 0 && count == target.count
    }
}
