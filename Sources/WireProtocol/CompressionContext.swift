internal import CSnappy

/// The state of the compression libraries, kept from message to message because setting it up costs more than a
/// small message does (deflating alone needs 256 kB).
///
/// Not for two threads at once: one for each event loop. Nothing is allocated for compressors that no client uses.
package final class CompressionContext {
    private lazy var deflater = Deflater()
    private lazy var inflater = Inflater()
    private lazy var zstdCompressor = ZstdCompressor()
    private lazy var zstdDecompressor = ZstdDecompressor()

    package init() {}

    /// The most bytes that compressing `count` bytes can yield.
    func bound(_ compressor: Compressor, count: Int) -> Int {
        switch compressor {
        case .noop: count
        case .snappy: snappy_max_compressed_length(count)
        case .zlib: deflater.bound(count)
        case .zstd: ZstdCompressor.bound(count)
        }
    }

    /// Compresses `source` and returns the number of bytes written, nil when the library failed.
    func compress(
        _ compressor: Compressor, _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        switch compressor {
        case .noop:
            guard source.count <= target.count else { return nil }
            target.copyMemory(from: source)
            return source.count
        case .snappy: return Snappy.compress(source, into: target)
        case .zlib: return deflater.compress(source, into: target)
        case .zstd: return zstdCompressor.compress(source, into: target)
        }
    }

    /// Whether `source` can yield exactly `size` bytes, as far as that shows without decompressing: asked before
    /// memory for them is allocated.
    func mayYield(_ compressor: Compressor, _ source: UnsafeRawBufferPointer, size: Int) -> Bool {
        switch compressor {
        case .noop: source.count == size
        case .snappy: Snappy.uncompressedSize(source) == size
        case .zlib: size / Inflater.ratioMax <= source.count
        case .zstd: ZstdDecompressor.mayYield(source, size: size)
        }
    }

    /// Decompresses `source` into the whole of `target`; false when it is corrupt, shorter or longer.
    func decompress(
        _ compressor: Compressor, _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        switch compressor {
        case .noop:
            guard source.count == target.count else { return false }
            target.copyMemory(from: source)
            return true
        case .snappy: return Snappy.decompress(source, into: target)
        case .zlib: return inflater.decompress(source, into: target)
        case .zstd: return zstdDecompressor.decompress(source, into: target)
        }
    }
}
