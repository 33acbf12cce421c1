import ArgumentParser
import Foundation
import Server

extension ServerAddress {
    /// `mongodb://[USER:PASSWORD@]HOST:PORT/[DATABASE][?authSource=DATABASE&tls=true&tlsCAFile=FILE…]`
    init(uri: String) throws {
        guard let url = URLComponents(string: uri), url.scheme == "mongodb", let host = url.host, !host.isEmpty else {
            throw ValidationError(
                "--uri takes mongodb://[USER:PASSWORD@]HOST:PORT/, not '\(Self.withoutPassword(uri))'")
        }
        self.init(host: host, port: url.port ?? 27_017)
        user = url.user
        password = url.password ?? ""
        let database = url.path.dropFirst()
        if !database.isEmpty { authenticationDatabase = String(database) }
        if let source = url.queryItems?.first(where: { $0.name == "authSource" })?.value {
            authenticationDatabase = source
        }
        tls = Self.tls(url.queryItems ?? [])
    }

    /// Before anything is tried.
    static func check(uri: String, timeout: Int) throws {
        _ = try ServerAddress(uri: uri)
        guard timeout > 0 else { throw ValidationError("--timeout takes a number of seconds above 0") }
    }

    private static func tls(_ items: [URLQueryItem]) -> ClientTLS? {
        func value(_ name: String) -> String? { items.first { $0.name == name }?.value }
        guard value("tls") == "true" || value("ssl") == "true" else { return nil }
        var tls = ClientTLS()
        tls.authority = value("tlsCAFile")
        tls.certificateKey = value("tlsCertificateKeyFile")
        tls.isInsecure = value("tlsInsecure") == "true"
        return tls
    }

    /// For messages.
    static func withoutPassword(_ uri: String) -> String {
        guard let at = uri.lastIndex(of: "@"), let scheme = uri.range(of: "://"), scheme.upperBound <= at else {
            return uri
        }
        return uri[..<scheme.upperBound] + "***" + uri[at...]
    }
}
