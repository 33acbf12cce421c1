internal import NIOSSL

/// How `martlet ping` and its like talk to a server that encrypts, by the names that connection strings have.
package struct ClientTLS: Sendable {
    /// `tlsCAFile`; nil for the authorities that the system trusts.
    package var authority: String?
    /// `tlsCertificateKeyFile`: the client's certificate and its key in one PEM file.
    package var certificateKey: String?
    /// `tlsInsecure`: takes every certificate.
    package var isInsecure = false

    package init() {}

    func context() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authority {
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority))
        }
        if let certificateKey {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificateKey).map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: certificateKey, format: .pem))
        }
        if isInsecure { configuration.certificateVerification = .none }
        return try NIOSSLContext(configuration: configuration)
    }
}

extension ServerAddress {
    /// An address of digits is no name that could be asked for in the handshake; the certificate must name it all the
    /// same.
    func handler(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
        let isAddress = host.contains(":") || host.utf8.allSatisfy { (48...57).contains($0) || $0 == 46 }
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}
