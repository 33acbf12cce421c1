internal import Foundation
internal import Logging
internal import NIOConcurrencyHelpers
internal import NIOCore
internal import NIOSSL

/// How the listener encrypts.
package struct TLSSettings: Sendable {
    package enum Version: String, Sendable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// PEM files: the server's certificate with those that lead to its root, and its key.
    package var certificate: String
    package var key: String
    /// Who has signed the certificates that clients must show; nil when they need none.
    package var clientAuthority: String?
    package var minimumVersion = Version.tls12

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// The certificates in use: read again when an operator says so, while old connections go on with the old ones.
final class TLSListener: Sendable {
    private let settings: TLSSettings
    private let context: NIOLockedValueBox<NIOSSLContext>

    /// - Throws: ``StartFailure`` when a file cannot be read, or key and certificate do not belong together.
    init(_ settings: TLSSettings) throws(StartFailure) {
        self.settings = settings
        context = NIOLockedValueBox(try Self.context(settings))
    }

    /// What a new connection needs before all else.
    func handler() -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: context.withLockedValue { $0 })
    }

    /// Keeps the present certificates when the new ones cannot be used.
    ///
    /// - Returns: why they cannot.
    @discardableResult
    func reload(_ logger: Logger) -> String? {
        do throws(StartFailure) {
            let new = try Self.context(settings)
            context.withLockedValue { $0 = new }
            logger.notice("certificates read again")
            return nil
        } catch {
            logger.error("certificates cannot be read again; the present ones stay", metadata: ["error": "\(error)"])
            return "\(error)"
        }
    }

    private static func context(_ settings: TLSSettings) throws(StartFailure) -> NIOSSLContext {
        do {
            let chain = try read(settings.certificate, of: "--tls-certificate", NIOSSLCertificate.fromPEMFile)
            let key = try read(settings.key, of: "--tls-key") { try NIOSSLPrivateKey(file: $0, format: .pem) }
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = settings.minimumVersion == .tls13 ? .tlsv13 : .tlsv12
            if let authority = settings.clientAuthority {
                configuration.trustRoots = .certificates(
                    try read(authority, of: "--tls-client-ca", NIOSSLCertificate.fromPEMFile))
                // A name of a host says nothing of a client.
                configuration.certificateVerification = .noHostnameVerification
            }
            return try NIOSSLContext(configuration: configuration)
        } catch let failure as StartFailure {
            throw failure
        } catch {
            throw StartFailure(
                "the key in \(settings.key) does not belong to the certificate in \(settings.certificate), or one of "
                    + "them cannot be used: \(error)")
        }
    }

    private static func read<V>(_ path: String, of option: String, _ parse: (String) throws -> V) throws -> V {
        guard access(path, R_OK) == 0 else {
            throw StartFailure("\(option): \(path) cannot be read: \(NetworkReason.system(errno))")
        }
        do {
            return try parse(path)
        } catch {
            throw StartFailure("\(option): \(path) does not hold in PEM what it should: \(error)")
        }
    }
}
