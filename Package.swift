// swift-tools-version: 6.1
import PackageDescription

// Targets are the architecture: arrows point down only, and SwiftPM refuses cycles. The tidy test checks that no
// source file imports what its layer may not (`Tests/TidyTests`).

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "martlet",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "martlet", targets: ["martlet"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C: module maps and small shims, no code of ours.
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(
            name: "CICU", pkgConfig: "icu-i18n", providers: [.apt(["libicu-dev"])]),
        .systemLibrary(name: "CDecimal", providers: [.apt(["libintelrdfpmath-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CSnappy", pkgConfig: "snappy", providers: [.apt(["libsnappy-dev"])]),
        .systemLibrary(name: "CSpawn"),
        .systemLibrary(name: "CStemmer", providers: [.apt(["libstemmer-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        // Geometry on the sphere: a few C functions over S2, which is C++.
        .target(name: "CS2", linkerSettings: [.linkedLibrary("s2")]),

        // Instruments: counters and the text they are shown as.
        .target(name: "Metrics", swiftSettings: settings),

        // Values.
        .target(
            name: "BSON",
            dependencies: [
                "CDecimal", nioCore, .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .target(name: "SQL", dependencies: [nioCore], swiftSettings: settings),

        // Protocol and model.
        .target(
            name: "WireProtocol",
            dependencies: ["BSON", "CZlib", "CSnappy", "CZstd", nioCore],
            swiftSettings: settings),
        .target(name: "CommandModel", dependencies: ["BSON", nioCore], swiftSettings: settings),

        // Pure: what matches, what an update yields. No I/O, no Foundation.
        .target(
            name: "Query",
            dependencies: [
                "BSON", "CommandModel", "CICU", "CPCRE2", "CS2", "CStemmer", nioCore,
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings),

        // Pure: who somebody is, and what they may do. No I/O, no Foundation.
        .target(
            name: "Access",
            dependencies: [
                "BSON", "CommandModel", "CICU", nioCore, .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings),

        // Database.
        .target(name: "SchemaSQL", path: "sql", resources: [.embedInCode("migrations")], swiftSettings: settings),
        .target(
            name: "Postgres",
            dependencies: [
                "CLibPQ", "CSpawn", "SQL", "Metrics", nioCore, logging,
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings),

        // Engine.
        .target(
            name: "Storage",
            dependencies: [
                "Access", "BSON", "SQL", "CommandModel", "Query", "Postgres", "SchemaSQL", "Metrics", nioCore, logging,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings),

        // Commands: one file each.
        .target(
            name: "Commands",
            dependencies: [
                "Access", "BSON", "CommandModel", "Query", "Storage", "Metrics", nioCore, logging,
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings),

        // Server.
        .target(
            name: "LivePage", dependencies: ["BSON", .product(name: "Crypto", package: "swift-crypto")],
            resources: [.embedInCode("Page")], swiftSettings: settings),
        .target(
            name: "Server",
            dependencies: [
                "Access", "BSON", "WireProtocol", "CommandModel", "Commands", "LivePage", "Storage", "Postgres",
                "Metrics", nioCore, logging,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),

        // Edge.
        .executableTarget(
            name: "martlet",
            dependencies: [
                "Server", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),

        .executableTarget(
            name: "MatcherBenchmark", dependencies: ["Query", "BSON", "CommandModel"], path: "Benchmarks/matcher",
            swiftSettings: settings),

        // Tests mirror the targets; what needs PostgreSQL starts its own.
        .testTarget(name: "MetricsTests", dependencies: ["Metrics"], swiftSettings: settings),
        .testTarget(name: "BSONTests", dependencies: ["BSON", nioCore], swiftSettings: settings),
        .testTarget(
            name: "WireProtocolTests",
            dependencies: [
                "WireProtocol", "BSON", nioCore, .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOTestUtils", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CommandModelTests", dependencies: ["CommandModel", "BSON", nioCore], swiftSettings: settings),
        .testTarget(
            name: "QueryTests", dependencies: ["Query", "BSON", "CommandModel", nioCore], swiftSettings: settings),
        .testTarget(
            name: "AccessTests", dependencies: ["Access", "BSON", "CommandModel", nioCore], swiftSettings: settings),
        .testTarget(
            name: "PostgresTests", dependencies: ["Postgres", "SQL", "Metrics", "CLibPQ", nioCore, logging],
            swiftSettings: settings),
        .testTarget(
            name: "CommandsTests",
            dependencies: [
                "Access", "Commands", "Storage", "Metrics", "Postgres", "Query", "BSON", "CommandModel", nioCore,
                logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "StorageTests",
            dependencies: [
                "Access", "Storage", "Postgres", "SQL", "Metrics", "Query", "BSON", "CommandModel", nioCore, logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ServerTests",
            dependencies: ["Server", "LivePage", .product(name: "NIOHTTP1", package: "swift-nio")],
            swiftSettings: settings),
        .testTarget(name: "TidyTests", swiftSettings: settings),
    ],
    cxxLanguageStandard: .cxx17
)
